"""Android, float16: half of float32's size, and what a phone's GPU computes in.

Command: tfminilm export --config=android_fp16 --model=M --output=bundle/
A processor widens the weights and computes in float32. A GPU does not: a
model whose numbers between or inside layers leave float16's range (65,504) is
refused, the layer and its part named. The limits on parity allow for the
rounding of the weights, and are of a processor's results.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_fp16",
        precision="float16",
        lengths=(32, 128),
        max_difference=2e-2,
        min_cosine=0.999,
        min_agreement=0.9,
    ).config(mode)
