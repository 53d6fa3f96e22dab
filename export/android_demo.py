r"""The Android app's bundles: int8, with a short signature for typing.

Command: tfminilm export --config=android_demo --model=M \
    --output=apps/android/app/src/main/assets/bundles/NAME
The app packs every bundle of that folder. A sentence that is being typed runs
in 16 or 32 tokens, a note or a window of a longer text in 128. Precision and
limits are those of `android_int8`.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="android_demo",
        precision="dynamic_wi8_afp32",
        lengths=(16, 32, 128),
        max_difference=1.0,
        min_cosine=0.97,
        min_agreement=0.8,
    ).config(mode)
