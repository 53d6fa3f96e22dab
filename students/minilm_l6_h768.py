"""MiniLM 6x768 (66M) from BERT-base: half of its depth, all of its width.

MiniLM (arXiv 2002.10957), table 2 and section 4.1: last layer to last layer,
400,000 steps of 1024 sequences of 512 tokens, peak learning rate 5e-4. The
paper's text is Wikipedia and BookCorpus; here it is Wikipedia alone.

    tfminilm distill --config=minilm_l6_h768 --workdir=runs/l6_h768

Dev, paper: SQuAD 2.0 F1 76.4, MNLI-m 84.0, SST-2 92.0.
Cost, computed: 210G tokens, 9.0e+19 FLOPs, 200 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
Text of your own: --config.data.source=FOLDER. `--config=minilm_l6_h768:smoke`
tries it out in a minute.
"""

from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="minilm_l6_h768",
        teacher="bert_base_en_uncased",
        student=recipe.StudentSpec(
            num_layers=6, hidden_dim=768, intermediate_dim=3072
        ),
        data=recipe.DataSpec(source="tfds:wikipedia/20230601.en"),
        train=recipe.TrainSpec(batch_size=1024, learning_rate=5e-4),
    ).config(mode)
