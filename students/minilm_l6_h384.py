"""MiniLM 6x384 (22M) from BERT-base: half of its depth and of its width.

MiniLM (arXiv 2002.10957), table 2 and section 4.1: last layer to last layer,
400,000 steps of 256 sequences of 512 tokens, peak learning rate 3e-4. The
paper's text is Wikipedia and BookCorpus; here it is Wikipedia alone.

    tfminilm distill --config=minilm_l6_h384 --workdir=runs/l6_h384

Dev, paper: SQuAD 2.0 F1 72.4, MNLI-m 82.2, SST-2 91.0.
Cost, computed: 52G tokens, 1.3e+19 FLOPs, 29 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
Text of your own: --config.data.source=FOLDER. `--config=minilm_l6_h384:smoke`
tries it out in a minute.
"""

from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="minilm_l6_h384",
        teacher="bert_base_en_uncased",
        student=recipe.StudentSpec(
            num_layers=6, hidden_dim=384, intermediate_dim=1536
        ),
        data=recipe.DataSpec(source="tfds:wikipedia/20230601.en"),
        train=recipe.TrainSpec(batch_size=256, learning_rate=3e-4),
    ).config(mode)
