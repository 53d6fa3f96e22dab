"""TinyBERT 4x312 (14.35M) from BERT-base, on text and then on SST-2.

TinyBERT (arXiv 1909.10351): embeddings, hidden states behind learned
projections, and attention scores of every third layer of the teacher, first
on text from a BERT-base as it was pre-trained (`general`), then on a task's
augmented examples from one that was fine-tuned (`intermediate`); last the
soft targets (`prediction`). Three epochs of Wikipedia in sequences of 128
tokens, batch 256, ten epochs and three of SST-2 with twenty copies of each
example, batch 32, as in the authors' code; as there, the projections go on from
one stage to the next, and `prediction` ends with the best model by the dev set.
Other than there, each layer has a projection of its own, without a bias; the
teacher has no dropout; `intermediate` warms up and decays as the others do; the
text is Wikipedia without BookCorpus, as single sequences and not pairs.

    tfminilm finetune --model=bert_base_en_uncased --task=sst2 \\
        --workdir=runs/bert_sst2
    tfminilm distill --config=tinybert_l4_h312 --workdir=runs/tinybert4
    tfminilm evaluate --model=runs/tinybert4 --task=sst2

Another task, in both of its stages: data.source=task:cola with
data.augment_copies=30 (30 for MRPC, STS-B and RTE, 10 for MNLI and QQP), its
own teacher and steps. GloVe's vectors: data.word_vectors=glove.6B.300d.txt;
GLUE's own files: data.folder=FOLDER.
The paper's ablations are flags, such as --config.stages.general.skip=True,
...data.augment_copies=0, ...method.hidden_weight=0 or ...method.layers=top;
docs/methods/tinybert.md has all of them.
Test, paper: SST-2 92.6 (BERT-base 93.4), average of GLUE 77.0 (79.5); a
published rerun gave SST-2 92.3.
Cost, computed: 10.1G tokens, 2.1e+18 FLOPs, 4.6 hours on one A100 at
40 % of its bfloat16 peak, 98 % of it on text. Not run at full scale:
no result of our own.
`--config=tinybert_l4_h312:smoke` tries it out in seconds.
"""

from tfminilm.recipes.tinybert import tinybert


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return tinybert("tinybert_l4_h312", 4, 312, 1200).config(mode)
