"""The demo: all-MiniLM-L6-v2 into three layers, on Python's documentation.

MiniLM (arXiv 2002.10957) from the 6-layer, 384-wide all-MiniLM-L6-v2, which
comes in a pinned PyPI wheel, into 3 layers that start from the teacher's
second, fourth and sixth. Then, in a second stage, the student's embeddings of
sentences are to be the teacher's (arXiv 2004.09813), which makes it a small
model for semantic search. The text is the prose of Python's documentation and
of the docstrings of the installed packages.

    tfminilm distill --config=students/demo.py --workdir=runs/demo

Cost: 0.8M tokens and 19,000 sentences, some minutes on two cores.
Another teacher: --config.teacher=PRESET_OR_FOLDER.
Another text: --config.stages.minilm.data.source=FOLDER or tfds:NAME, and the
same of stages.sentence.
"""

from tfminilm.recipes import minilm
from tfminilm.train.recipe import TrainSpec


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    train = TrainSpec(
        steps=300,
        batch_size=64,
        learning_rate=2e-4,
        warmup_steps=30,
        log_every=5,
        evaluate_every=100,
        checkpoint_every=100,
        held_out_sequences=256,
    )
    return minilm.sentence_embeddings("demo", train).config(mode)
