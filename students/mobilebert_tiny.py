"""MobileBERT-tiny (15.5M), layer by layer from an IB-BERT of 294M.

MobileBERT (arXiv 2004.02984), progressive strategy: an IB-BERT of 24 layers
learns masked tokens and next sentences (`teacher`; none was ever published),
its feature maps and attention pass to the student one layer after the other,
those below it learning at a tenth of the rate and the embeddings not at all
(`layer_1` to `layer_24`, 10,000 steps each), and the student learns masked
tokens, its teacher's guesses at them, and next sentences, for 500,000 steps.
As in the authors' code: LAMB, 2,048 sequences of 512 tokens a step, in the
transfer 4.5e-3 with a tenth of each phase to warm up and 0.9 of it left in the
end, then 1.5e-3 with 10,000 steps to warm up; masked pairs of texts throughout,
no dropout in the student; embeddings and heads start as the teacher's.

Other than in that code: feature maps are compared as they are, with the factor
1 beside attention's 1, where it normalises them first, adds terms of their mean
and variance and weighs 100, 1, 5000 and 5; LAMB's moments start anew in each
phase; 15 % of the tokens are masked, there at most 20; the text is Wikipedia
without BookCorpus. The teacher's rate and steps are this recipe's, as nobody
published them.

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

from tfminilm.recipes.mobilebert import mobilebert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return mobilebert("mobilebert_tiny", "mobilebert_tiny").config(mode)
