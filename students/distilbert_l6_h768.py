"""DistilBERT 6x768 (66M) from BERT-base: triple loss, every second layer.

DistilBERT (arXiv 1910.01108): 5 L_ce + 2 L_mlm + 1 L_cos at temperature 2,
without segment embedding and pooler. As in the authors' code: it starts from
its teacher's layers 0, 2, 4, 7, 9 and 11, counted from 0; Adam (0.9, 0.98),
peak rate 5e-4, no weight decay, warm-up of 5 %, clipping at 5; 15 % of the
tokens are masked, rare ones more often (an exponent of 0.7), here in each
sequence and there in each batch. The paper's text is Wikipedia and BookCorpus,
3 epochs of about 4.4G tokens in steps of 4,096 sequences; here it is Wikipedia
alone, for as many tokens. The code's L_ce is at all tokens, here at the masked
ones, which costs less: --config.method.all_tokens=True has it at all.

    tfminilm distill --config=distilbert_l6_h768 --workdir=runs/distilbert

The teacher needs its masked-language-model head: a Hugging Face model, or a
folder saved from a keras_hub MaskedLM.
GLUE dev, paper: 77.0 (BERT-base 79.5).
Cost, computed: 13G tokens, 6.6e+18 FLOPs, 15 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=distilbert_l6_h768:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="distilbert_l6_h768",
        teacher="hf://google-bert/bert-base-uncased",
        student=recipe.StudentSpec(
            kind="distilbert",
            num_layers=6,
            hidden_dim=768,
            intermediate_dim=3072,
            init="0,2,4,7,9,11",
        ),
        method=methods.DistilBERT(),
        data=recipe.DataSpec(
            source="tfds:wikipedia/20230601.en",
            whole_words=False,
            mask_smoothing=0.7,
        ),
        train=recipe.TrainSpec(
            steps=6_300,
            batch_size=4_096,
            gradient_accumulation=64,
            learning_rate=5e-4,
            warmup_steps=315,
            weight_decay=0.0,
            beta_2=0.98,
            clip_norm=5.0,
        ),
    ).config(mode)
