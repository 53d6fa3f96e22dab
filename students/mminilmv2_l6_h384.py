"""Multilingual MiniLMv2 6x384 from XLM-R-large: relations of its 19th layer.

MiniLMv2 (arXiv 2012.15828): Q-Q, K-K and V-V relations of the 19th of
XLM-R-large's 24 layers, split into 64 relation heads, teach the student's last
layer. 400,000 steps of 256 sequences of 512 tokens, peak learning rate 6e-4,
4,000 warm-up steps. The student is a KerasHub XLM-R backbone with its teacher's
vocabulary of 250,002 pieces and goes with XLM-R's tokenizer: 11M parameters in
the encoder, 96M in the token table.

    tfminilm distill --config=mminilmv2_l6_h384 --workdir=runs/mminilmv2_l6

The paper's text is the teacher's, a hundred languages of Common Crawl; here it
is Wikipedia in the fifteen languages of XNLI. Other text:
--config.data.source=FOLDER,tfds:NAME
Cost, computed: 52G tokens, 3.0e+19 FLOPs, 66 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=mminilmv2_l6_h384:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilmv2


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return minilmv2.from_xlm_roberta_large("mminilmv2_l6_h384", 6).config(mode)
