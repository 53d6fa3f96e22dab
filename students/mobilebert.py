"""MobileBERT (24.6M), layer by layer from an IB-BERT of 294M.

MobileBERT (arXiv 2004.02984), progressive strategy: an IB-BERT of 24 layers
learns masked tokens and next sentences (`teacher`; none was ever published),
its feature maps and attention pass to the student one layer after the other,
those below it frozen (`layer_1` to `layer_24`, 10,000 steps each), and the
student learns masked tokens, its teacher's guesses at them, and next
sentences, for 500,000 steps. As in the authors' code LAMB, 2,048 sequences of
512 tokens a step, and 1.5e-3 as the peak learning rate; the rates of teacher
and pre-training are this recipe's, as are the teacher's steps.

    tfminilm distill --config=mobilebert --workdir=runs/mobilebert

The vocabulary is BERT's. A teacher that is there already:
--config.stages.teacher.skip=True, and in each other stage
--config.stages.NAME.teacher=runs/ib_bert.
GLUE test, paper: 77.7 (BERT-base 78.3).
Cost, computed: 1300G tokens, 1.5e+21 FLOPs, 3300 hours on one A100 at
40 % of its bfloat16 peak, two thirds of them the teacher's. Not run at full
scale: no result of our own.
`--config=mobilebert:smoke` tries it out in seconds.
"""

from tfminilm.recipes.mobilebert import mobilebert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return mobilebert("mobilebert", "mobilebert").config(mode)
