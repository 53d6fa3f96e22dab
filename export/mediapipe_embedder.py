"""MediaPipe Tasks, TextEmbedder: a student's sentence embeddings.

Command: tfminilm export --config=mediapipe_embedder --model=M --output=B
    --as=encoder
For students that read word pieces in lower case; the file's one output is
`sentence_embedding`, pooled and scaled as the student's own. What an app does
with its texts before is in docs/mediapipe.md. Precision and limits are those
of `android_int8`.
"""

from tfminilm.export.target import Target


def get_config(mode: str = ""):
    """Return the target; mode "smoke" has one short length."""
    return Target(
        name="mediapipe_embedder",
        format="mediapipe_embedder",
        precision="dynamic_wi8_afp32",
        lengths=(128,),
        max_difference=1.0,
        min_cosine=0.97,
    ).config(mode)
