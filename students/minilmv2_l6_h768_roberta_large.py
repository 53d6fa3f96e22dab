"""MiniLMv2 6x768 from RoBERTa-large: relations of its 19th layer.

MiniLMv2 (arXiv 2012.15828): Q-Q, K-K and V-V relations of the 19th of
RoBERTa-large's 24 layers, split into 64 relation heads, teach the student's
last layer. 400,000 steps of 256 sequences of 512 tokens, peak learning rate
6e-4, 4,000 warm-up steps. The student is a KerasHub RoBERTa backbone with its
teacher's vocabulary of 50,265 pieces: 42M parameters in the encoder,
39M in the token table. `tfminilm export` refuses its byte-level tokenizer for
phones.

    tfminilm distill --config=minilmv2_l6_h768_roberta_large --workdir=runs/v2

The paper's text is RoBERTa's, 160 GB; here it is Wikipedia. Text of your own:
--config.data.source=FOLDER.
Cost, computed: 52G tokens, 3.9e+19 FLOPs, 87 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=minilmv2_l6_h768_roberta_large:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilmv2


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    recipe = minilmv2.from_roberta_large(
        "minilmv2_l6_h768_roberta_large", 6, 768
    )
    return recipe.config(mode)
