"""MiniLMv2 6x384 (22M) from BERT-base: relations of queries, keys, values.

MiniLMv2 (arXiv 2012.15828): Q-Q, K-K and V-V relations of the last layer of
BERT-base, split into 48 relation heads, teach the student's last layer.
400,000 steps of 256 sequences of 512 tokens, peak learning rate 6e-4, 4,000
warm-up steps. The paper's text is Wikipedia and BookCorpus; here it is
Wikipedia alone.

    tfminilm distill --config=minilmv2_l6_h384 --workdir=runs/v2_l6_h384

BERT-large: --config.teacher=bert_large_en_uncased with
--config.method.num_relation_heads=64 and --config.method.teacher_layer=20, the
21st. RoBERTa-large has recipes of its own.
Cost, computed: 52G tokens, 1.3e+19 FLOPs, 29 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=minilmv2_l6_h384:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="minilmv2_l6_h384",
        teacher="bert_base_en_uncased",
        student=recipe.StudentSpec(
            num_layers=6, hidden_dim=384, intermediate_dim=1536
        ),
        method=methods.MiniLMv2(num_relation_heads=48),
        data=recipe.DataSpec(source="tfds:wikipedia/20230601.en"),
        train=recipe.TrainSpec(batch_size=256, learning_rate=6e-4),
    ).config(mode)
