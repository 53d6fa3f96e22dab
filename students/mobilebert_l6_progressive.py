"""MobileBERT 6x96 from an IB-BERT trained beside it, layer by layer.

MobileBERT (arXiv 2004.02984) in small, progressive strategy: an IB-BERT of
six layers learns masked tokens and next sentences (`teacher`; with an alpha of
0 its own teacher gives the vocabulary alone). Its feature maps and attention
pass to a MobileBERT with bottlenecks of 32 one layer after the other, those
below it and the embeddings frozen (`layer_1` to `layer_6`); then it learns the
masked tokens, its teacher's guesses, and next sentences (`pretraining`).
The text is the documentation that comes with Python.

    tfminilm distill --config=mobilebert_l6_progressive --workdir=runs/small

Cost, computed: 1.3M tokens, 1.5e+13 FLOPs, 0.00003 hours on one A100 at
40 % of its bfloat16 peak; minutes on two cores. Measured before
the transfer read masked pairs: docs/results/mobilebert.md.
`--config=mobilebert_l6_progressive:smoke` tries it out in seconds.
"""

from tfminilm.recipes.mobilebert import small_mobilebert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return small_mobilebert(
        "mobilebert_l6_progressive",
        "progressive",
        transfer_steps=100,
        pretraining_steps=200,
        transfer_rate=2e-3,
    ).config(mode)
