"""MLM-KD 6x384 (22M) from BERT-base: soft targets at the masked tokens.

Soft targets (arXiv 1503.02531) on masked-language-model logits, the baseline
of MiniLM's comparison (arXiv 2002.10957): for each masked token the teacher's
distribution over the vocabulary, T = 1, beside the token itself, each with
the weight a half. As for that paper's other students of this width 400,000
steps of 256 sequences of 512 tokens, peak learning rate 3e-4. It says neither
the weights nor how tokens are masked: whole words here, 15 % of the tokens.

    tfminilm distill --config=mlm_kd_l6_h384 --workdir=runs/mlm_kd_l6_h384

The teacher needs its masked-language-model head: a Hugging Face model, or a
folder saved from a keras_hub MaskedLM.
Dev, paper: SQuAD 2.0 F1 67.9, MNLI-m 79.6, SST-2 89.8.
Cost, computed: 52G tokens, 1.5e+19 FLOPs, 33 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=mlm_kd_l6_h384:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="mlm_kd_l6_h384",
        teacher="hf://google-bert/bert-base-uncased",
        student=recipe.StudentSpec(
            num_layers=6, hidden_dim=384, intermediate_dim=1536
        ),
        method=methods.MLMKD(temperature=1.0, alpha=0.5),
        data=recipe.DataSpec(source="tfds:wikipedia/20230601.en"),
        train=recipe.TrainSpec(batch_size=256, learning_rate=3e-4),
    ).config(mode)
