"""TFLite Task Library: BertNLClassifier, TextEmbedder, BertQuestionAnswerer.

Command: tfminilm export --config=task_library --model=M --output=B
The last release of that library, 0.4.4, has a runtime of 2023. It refuses
products of float32 with integers, so the weights alone are int8: a quarter of
float32's size, and its speed. Question answering takes
`--config.lengths=384`, the only length that the library knows for it. What an
app does with its texts before is in docs/mediapipe.md.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="task_library",
        format="task_library",
        precision="weight_only_wi8_afp32",
        lengths=(128,),
        max_difference=0.5,
        min_cosine=0.99,
        min_agreement=0.9,
    ).config(mode)
