"""Android, int4: an eighth of float32's size, as fast as int8.

Command: tfminilm export --config=android_int4 --model=M --output=bundle/

Weights, the embedding table included, are 4 bits wide with one scale a
channel; activations are rounded to int8 in front of each product. The values
of attention keep 8 bits: they are a twelfth of a layer, and of all parts
suffered most for what they saved. With `--budget_mb` or `--max_drop` it is
measured which layers of the model in hand keep them. Measured on L6-H384
fine-tuned on SST-2: 12.9 MB, accuracy 0.9014 of 0.8991 in float32.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_int4",
        precision="dynamic_wi4_afp32",
        layers={"*/value": "dynamic_wi8_afp32"},
        lengths=(32, 128),
        max_difference=3.0,
        min_cosine=0.7,
        min_agreement=0.8,
    ).config(mode)
