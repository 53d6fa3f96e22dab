"""Android, dynamic-range int8: a quarter of float32's size, a third its time.

Command: tfminilm export --config=android_int8 --model=M --output=bundle/
Weights, the embedding table included, are int8 with one scale a channel;
activations stay float32 between the products and are rounded in front of
each. Measured on a 6-layer, 384-wide encoder and 80 paragraphs: largest
difference of a token's state 0.23, lowest cosine 0.993, mean 0.9987. A shorter
or odder text can do somewhat worse, hence the limits.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_int8",
        precision="dynamic_wi8_afp32",
        lengths=(32, 128),
        max_difference=1.0,
        min_cosine=0.97,
        min_agreement=0.8,
    ).config(mode)
