"""Android, static int8: activations rounded by scales that were measured.

Command: tfminilm export --config=android_static_int8 --model=M --output=bundle/
    --task=T --data_dir=F

Dense layers compute in integers from what they read to what they write, as
accelerators that multiply integers alone ask for; norms, softmax, GELU and the
products of attention stay float32. The scales are measured on the task's own
examples; what a student of quantized_sst2 writes has those that it learned
with. A model whose activations leave 127 steps, such as MobileBERT, is refused.
On a processor dynamic int8 (android_int8) is as fast or faster, and more exact.
Measured on L6-H384 fine-tuned on SST-2, lengths 32, 64 and 128: 24.3 MB,
accuracy 0.8968 of 0.8991 in float32, two answers in a hundred are others; on
SQuAD F1 71.3 of 71.6.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_static_int8",
        precision="static_wi8_ai8",
        lengths=(32, 128),
        max_difference=1.5,
        min_cosine=0.9,
        min_agreement=0.8,
    ).config(mode)
