"""Android, float32: the reference that the smaller files are compared with.

Command: tfminilm export --config=android_fp32 --model=M --output=bundle/
File: four bytes a parameter. The limits on parity allow for the rounding of
float32 sums in another order, nothing else.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_fp32",
        precision="float32",
        lengths=(32, 128),
        max_difference=1e-4,
        min_cosine=0.9999,
    ).config(mode)
