"""MediaPipe Tasks, TextClassifier: one file for Android, iOS, web and Python.

Command: tfminilm export --config=mediapipe_classifier --model=M --output=B
For students with classes that read word pieces in lower case. The file holds
the words and labels, and ends in probabilities. MediaPipe lower-cases ASCII
alone, so an app prepares its texts: docs/mediapipe.md has the lines. Precision
and limits are those of `android_int8`; the limits are of probabilities here.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="mediapipe_classifier",
        format="mediapipe_classifier",
        precision="dynamic_wi8_afp32",
        lengths=(128,),
        max_difference=0.2,
        min_cosine=0.97,
        min_agreement=0.8,
    ).config(mode)
