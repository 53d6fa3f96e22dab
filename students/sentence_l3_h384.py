"""Sentence embeddings 3x384 (17M) from all-MiniLM-L6-v2, in two stages.

First MiniLM (arXiv 2002.10957) from the 6-layer teacher into 3 layers that
start from its second, fourth and sixth; then the pooled embedding of each
sentence is to be the teacher's (arXiv 2004.09813, mean squared distance). The
student maps sentences into the teacher's own space, so it can search what the
teacher has indexed.

    tfminilm distill --config=sentence_l3_h384 --workdir=runs/sentence

The text is the prose of Python's documentation, which is on every machine;
better, a folder of yours: --config.stages.minilm.data.source=FOLDER and
--config.stages.sentence.data.source=FOLDER.
Cost, computed: 1.8M tokens, 9.0e+13 FLOPs, 0.0002 hours on one A100 at
40 % of its bfloat16 peak; some minutes on two cores.
Not run at full scale: no result of our own.
`--config=sentence_l3_h384:smoke` tries it out in seconds.
"""

from tfminilm.recipes import minilm
from tfminilm.train.recipe import TrainSpec


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    train = TrainSpec(
        steps=600,
        batch_size=64,
        learning_rate=2e-4,
        warmup_steps=60,
        evaluate_every=200,
        checkpoint_every=200,
        held_out_sequences=512,
    )
    return minilm.sentence_embeddings("sentence_l3_h384", train).config(mode)
