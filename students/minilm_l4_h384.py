"""MiniLM 4x384 (19M) from BERT-base: 4 layers at half of its width.

MiniLM (arXiv 2002.10957), table 2 and section 4.1: last layer to last layer,
400,000 steps of 256 sequences of 512 tokens, peak learning rate 3e-4. The
paper's text is Wikipedia and BookCorpus; here it is Wikipedia alone.

    tfminilm distill --config=minilm_l4_h384 --workdir=runs/l4_h384

Dev, paper: SQuAD 2.0 F1 69.4, MNLI-m 80.3, SST-2 90.2.
Cost, computed: 52G tokens, 1.2e+19 FLOPs, 26 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
Text of your own: --config.data.source=FOLDER. `--config=minilm_l4_h384:smoke`
tries it out in a minute.
"""

from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="minilm_l4_h384",
        teacher="bert_base_en_uncased",
        student=recipe.StudentSpec(
            num_layers=4, hidden_dim=384, intermediate_dim=1536
        ),
        data=recipe.DataSpec(source="tfds:wikipedia/20230601.en"),
        train=recipe.TrainSpec(batch_size=256, learning_rate=3e-4),
    ).config(mode)
