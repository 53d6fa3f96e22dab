"""BERT-PKD (arXiv 1908.09355) on SST-2, as a recipe."""

from tfminilm.methods import PatientKD
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec

_WIDTH = 768
_EPOCH = 2_105


def patient_kd(
    name: str, num_layers: int, alpha: float, beta: float, temperature: float
) -> Recipe:
    """Return PKD-Skip from a fine-tuned BERT-base, as the authors' code has it.

    Args:
        name: the recipe's.
        num_layers: of the student, which starts from BERT-base's lowest ones.
        alpha: the method's.
        beta: of the code, whose L_PT is a mean over layers and features.
        temperature: the method's.
    """
    return Recipe(
        name=name,
        teacher="runs/bert_sst2",
        student=StudentSpec(
            num_layers=num_layers,
            hidden_dim=_WIDTH,
            intermediate_dim=3072,
            init="bottom",
            init_from="bert_base_en_uncased",
        ),
        method=PatientKD(
            layers="skip",
            alpha=alpha,
            beta=beta / ((num_layers - 1) * _WIDTH),
            temperature=temperature,
            class_mean=True,
        ),
        data=DataSpec(source="task:sst2", sequence_length=128),
        train=TrainSpec(
            steps=4 * _EPOCH,
            batch_size=32,
            learning_rate=5e-5,
            warmup_steps=4 * _EPOCH // 10,
            evaluate_every=_EPOCH,
            best_by="score",
        ),
    )
