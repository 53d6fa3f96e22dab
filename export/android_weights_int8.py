"""Android, int8 weights alone: a quarter of float32's size, and its results.

Command: tfminilm export --config=android_weights_int8 --model=M --output=B

The products compute in float32 with weights widened as the file is opened:
no faster than float32, but the nearest to it of all small files. For models
whose activations no integer holds, such as MobileBERT. Measured on L6-H384
fine-tuned on SST-2: 23.7 MB, accuracy 0.8979 of 0.8991 in float32.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_weights_int8",
        precision="weight_only_wi8_afp32",
        lengths=(32, 128),
        max_difference=0.5,
        min_cosine=0.99,
        min_agreement=0.9,
    ).config(mode)
