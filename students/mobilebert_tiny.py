"""MobileBERT-tiny (15.5M), layer by layer from an IB-BERT of 294M.

MobileBERT (arXiv 2004.02984), progressive strategy: an IB-BERT of 24 layers
learns masked tokens and next sentences (`teacher`; none was ever published),
its feature maps and attention pass to the student one layer after the other,
those below it frozen (`layer_1` to `layer_24`, 10,000 steps each), and the
student learns masked tokens, its teacher's guesses at them, and next
sentences, for 500,000 steps. As in the authors' code LAMB, 2,048 sequences of
512 tokens a step, and 1.5e-3 as the peak learning rate; the rates of teacher
and pre-training are this recipe's, as are the teacher's steps.

    tfminilm distill --config=mobilebert_tiny --workdir=runs/mobilebert_tiny

The vocabulary is BERT's. A teacher that is there already:
--config.stages.teacher.skip=True, and in each other stage
--config.stages.NAME.teacher=runs/ib_bert.
GLUE test, paper: 75.8 (MobileBERT 77.7).
Cost, computed: 1300G tokens, 1.5e+21 FLOPs, 3230 hours on one A100 at
40 % of its bfloat16 peak, two thirds of them the teacher's. Not run at full
scale: no result of our own.
`--config=mobilebert_tiny:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe
from tfminilm.train.mobilebert import mobilebert_stages

SHAPE = {
    "num_layers": 24,
    "hidden_dim": 512,
    "num_heads": 4,
    "embedding_dim": 128,
}
DATA = recipe.DataSpec(source="tfds:wikipedia/20230601.en")


def get_config(mode: str = ""):
    """Returns the recipe; mode "smoke" shrinks it."""
    teacher = recipe.Stage(
        teacher="bert_base_en_uncased",
        student=recipe.StudentSpec(
            kind="ib_bert", bottleneck_dim=1024, intermediate_dim=4096, **SHAPE
        ),
        method=methods.MLMKD(alpha=0.0, next_sentence_weight=1.0),
        data=DATA,
        train=_train(500_000, 5e-4),
    )
    stages = mobilebert_stages(
        "progressive",
        teacher="teacher",
        student=recipe.StudentSpec(
            kind="mobilebert_tiny",
            bottleneck_dim=128,
            intermediate_dim=512,
            **SHAPE,
        ),
        data=DATA,
        transfer=_train(10_000, 1.5e-3),
        pretraining=_train(500_000, 5e-4),
    )
    return recipe.Recipe(
        name="mobilebert_tiny", stages={"teacher": teacher, **stages}
    ).config(mode)


def _train(steps: int, learning_rate: float) -> recipe.TrainSpec:
    return recipe.TrainSpec(
        steps=steps,
        batch_size=2_048,
        gradient_accumulation=64,
        learning_rate=learning_rate,
        warmup_steps=min(10_000, steps // 10),
        optimizer="lamb",
    )
