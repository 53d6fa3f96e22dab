"""MobileBERT 6x96 from an IB-BERT trained beside it, all losses at once.

MobileBERT (arXiv 2004.02984) in small, auxiliary strategy: an IB-BERT of six
layers learns masked tokens and next sentences (`teacher`; with an alpha of 0
its own teacher gives the vocabulary alone). A MobileBERT with bottlenecks of
32 learns its feature maps and attention, masked tokens, its guesses at them,
and next sentences in one stage (`pretraining`). The text is the documentation
that comes with Python.

    tfminilm distill --config=mobilebert_l6_auxiliary --workdir=runs/small

Cost, computed: 0.9M tokens, 1.4e+13 FLOPs, 0.00003 hours on one A100 at
40 % of its bfloat16 peak; minutes on two cores. Measured before
the transfer read masked pairs: docs/results/mobilebert.md.
`--config=mobilebert_l6_auxiliary:smoke` tries it out in seconds.
"""

from tfminilm.recipes.mobilebert import small_mobilebert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return small_mobilebert(
        "mobilebert_l6_auxiliary",
        "auxiliary",
        transfer_steps=400,
        pretraining_steps=400,
    ).config(mode)
