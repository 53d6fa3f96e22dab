"""Multilingual MiniLM 12x384 from XLM-R base: its vocabulary, all of its depth.

MiniLM (arXiv 2002.10957), multilingual: the teacher is XLM-R base with its
SentencePiece vocabulary of 250,002 pieces, which the student shares. It is a
KerasHub XLM-R backbone and goes with XLM-R's tokenizer: 21M parameters in
the encoder, 96M in the token table. Last layer to last layer, as in the paper
1,000,000 steps of 256 sequences of 512 tokens, peak learning rate 3e-4.

    tfminilm distill --config=mminilm_l12_h384 --workdir=runs/mminilm_l12

The paper's text is the teacher's, a hundred languages of Common Crawl; here it
is Wikipedia in the fifteen languages of XNLI. The authors' student has BERT's
layers, this one XLM-R's, which compute the same. Other text:
--config.data.source=FOLDER,tfds:NAME
XNLI, authors: average 71.1 (XLM-R base 74.5).
Cost, computed: 131G tokens, 4.3e+19 FLOPs, 95 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=mminilm_l12_h384:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilm


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return minilm.multilingual("mminilm_l12_h384").config(mode)
