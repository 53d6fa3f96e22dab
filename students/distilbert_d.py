"""DistilBERT (D): a second distillation, while fine-tuning on SQuAD 1.1.

DistilBERT (arXiv 1910.01108), section 4: a DistilBERT that was distilled
already learns to answer questions from a BERT-base that was fine-tuned on
them: its start and end logits at temperature 2 beside the gold answers, half
each. The defaults of the authors' code: three epochs of 88,500 windows of 384
tokens, batches of 8 (there on each GPU; how many of them is not said), learning
rate 5e-5 without warm-up and weight decay. Its epsilon is 1e-8, here 1e-6.

    tfminilm finetune --model=bert_base_en_uncased --task=squad \\
        --workdir=runs/bert_squad
    tfminilm distill --config=distilbert_d --workdir=runs/distilbert_d
    tfminilm evaluate --model=runs/distilbert_d --task=squad

The student starts from KerasHub's DistilBERT; one of your own:
--config.student.init_from=runs/distilbert. SQuAD's own files:
--config.data.folder=FOLDER.
Dev, paper: F1 86.9, exact match 79.1 (without the second distillation 85.8
and 77.7).
Cost, computed: 102M tokens, 4.7e+16 FLOPs, 0.1 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=distilbert_d:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="distilbert_d",
        teacher="runs/bert_squad",
        student=recipe.StudentSpec(
            kind="distilbert",
            num_layers=6,
            hidden_dim=768,
            intermediate_dim=3072,
            init="uniform",
            init_from="distil_bert_base_en_uncased",
        ),
        method=methods.SoftTargets(temperature=2.0, alpha=0.5),
        data=recipe.DataSpec(source="task:squad", sequence_length=384),
        train=recipe.TrainSpec(
            steps=33_200,
            batch_size=8,
            learning_rate=5e-5,
            warmup_steps=0,
            weight_decay=0.0,
        ),
    ).config(mode)
