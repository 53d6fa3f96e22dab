"""MiniLM 6x384 (22M) from BERT-base through a teacher assistant.

MiniLM (arXiv 2002.10957), section 3.3: half of the teacher's depth
and half of its width at once is a long way, so BERT-base first teaches a
12x384 assistant, and the assistant the student. Both stages are MiniLM's last
layer to last layer: 400,000 steps of 256 sequences of 512 tokens, peak
learning rate 3e-4. The paper's text is Wikipedia and BookCorpus; here it is
Wikipedia alone.

    tfminilm distill --config=minilm_l6_h384_ta --workdir=runs/l6_h384_ta

Dev, paper: SQuAD 2.0 F1 72.7, MNLI-m 82.4, SST-2 91.2 (without assistant
72.4, 82.2 and 91.0).
Cost, computed: 105G tokens, 2.3e+19 FLOPs, 52 hours on one A100 at
40 % of its bfloat16 peak, 38 of them the assistant's. Not run at full scale:
no result of our own.
An assistant of your own (a workdir of minilm_l12_h384):
`--config=minilm_l6_h384 --config.teacher=runs/l12_h384`.
`--config=minilm_l6_h384_ta:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilm


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return minilm.with_assistant("minilm_l6_h384_ta", 6).config(mode)
