"""Multilingual MiniLM 6x384 from XLM-R base through a 12x384 assistant.

MiniLM (arXiv 2002.10957), multilingual: the teacher is XLM-R base with its
SentencePiece vocabulary of 250,002 pieces, which assistant and student share.
Both are KerasHub XLM-R backbones and go with XLM-R's tokenizer: 11M parameters
in the student's encoder, 96M in its token table. Last layer to last layer, as
in the paper: the assistant learns for 1,000,000 steps of 256 sequences of 512
tokens, peak learning rate 3e-4; then the student from it for 400,000 steps of
512 sequences, 6e-4.

    tfminilm distill --config=mminilm_l6_h384 --workdir=runs/mminilm_l6

The paper's text is the teacher's, a hundred languages of Common Crawl; here it
is Wikipedia in the fifteen languages of XNLI. Other text:
--config.stages.assistant.data.source=FOLDER,tfds:NAME, and the same of
stages.small. An assistant of your own (a workdir of mminilm_l12_h384):
--config.stages.assistant.skip=True --config.stages.small.teacher=runs/mminilm
Cost, computed: 236G tokens, 5.5e+19 FLOPs, 123 hours on one A100 at
40 % of its bfloat16 peak, 95 of them the assistant's. Not run at full scale:
no result of our own.
`--config=mminilm_l6_h384:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilm


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    recipe = minilm.multilingual_with_assistant("mminilm_l6_h384", 6)
    return recipe.config(mode)
