"""Multilingual MiniLM 12x384 from XLM-R base: its vocabulary, all of its depth.

MiniLM (arXiv 2002.10957), multilingual: the teacher is XLM-R base with its
SentencePiece vocabulary of 250,002 pieces, which the student shares. It is a
KerasHub XLM-R backbone and goes with XLM-R's tokenizer: 21M parameters in
the encoder, 96M in the token table. Last layer to last layer, 400,000 steps
of 256 sequences of 512 tokens; the learning rate is this recipe's.

    tfminilm distill --config=mminilm_l12_h384 --workdir=runs/mminilm_l12

The text is Wikipedia in the fifteen languages of XNLI. Other text:
--config.data.source=FOLDER,tfds:NAME
Cost, computed: 52G tokens, 1.7e+19 FLOPs, 38 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=mminilm_l12_h384:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilm


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return minilm.multilingual("mminilm_l12_h384", 12).config(mode)
