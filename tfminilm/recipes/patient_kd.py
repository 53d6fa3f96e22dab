"""BERT-PKD (arXiv 1908.09355) on SST-2, as a recipe."""

from tfminilm.methods import PatientKD
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec


def patient_kd(name: str, num_layers: int) -> Recipe:
    """Return PKD-Skip from a fine-tuned BERT-base into its lower layers."""
    return Recipe(
        name=name,
        teacher="runs/bert_sst2",
        student=StudentSpec(
            num_layers=num_layers,
            hidden_dim=768,
            intermediate_dim=3072,
            init="bottom",
        ),
        method=PatientKD(layers="skip", alpha=0.5, temperature=10.0),
        data=DataSpec(source="task:sst2", sequence_length=128),
        train=TrainSpec(
            steps=8_420, batch_size=32, learning_rate=2e-5, warmup_steps=842
        ),
    )
