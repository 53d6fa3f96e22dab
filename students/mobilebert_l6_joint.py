"""MobileBERT 6x96 from an IB-BERT trained beside it: minutes on a laptop.

MobileBERT (arXiv 2004.02984) in small, joint strategy: an IB-BERT of six
layers learns masked tokens and next sentences (`teacher`; with an alpha of 0
its own teacher gives the vocabulary alone). Its feature maps and attention
pass to a MobileBERT with bottlenecks of 32 (`transfer`), which then learns
masked tokens, its teacher's guesses at them, and next sentences
(`pretraining`). The text is the documentation that comes with Python.

    tfminilm distill --config=mobilebert_l6_joint --workdir=runs/small

Cost, computed: 1.0M tokens, 1.4e+13 FLOPs, 0.00003 hours on one A100 at
40 % of its bfloat16 peak; minutes on two cores. Measured before
the transfer read masked pairs: docs/results/mobilebert.md.
`--config=mobilebert_l6_joint:smoke` tries it out in seconds.
"""

from tfminilm.recipes.mobilebert import small_mobilebert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return small_mobilebert(
        "mobilebert_l6_joint",
        "joint",
        transfer_steps=300,
        pretraining_steps=200,
    ).config(mode)
