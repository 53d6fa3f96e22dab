"""MiniLMv2 (arXiv 2012.15828) from large teachers, as recipes."""

from tfminilm.methods import MiniLMv2
from tfminilm.recipes.minilm import LANGUAGES, WIKIPEDIA
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec

# Of 24, counted from 0: the 19th.
_LAYER_OF_ROBERTA = 18


def from_roberta_large(name: str, num_layers: int, hidden_dim: int) -> Recipe:
    """Return MiniLMv2 from RoBERTa-large's 19th layer, with 64 heads."""
    source = f"{WIKIPEDIA}.en"
    return _from_large(
        name, "roberta_large_en", "roberta", num_layers, hidden_dim, source
    )


def from_xlm_roberta_large(name: str, num_layers: int) -> Recipe:
    """Return MiniLMv2 from XLM-R-large's 19th layer into 384-wide layers."""
    source = ",".join(f"{WIKIPEDIA}.{language}" for language in LANGUAGES)
    return _from_large(
        name, "xlm_roberta_large_multi", "xlm_roberta", num_layers, 384, source
    )


def _from_large(
    name: str,
    teacher: str,
    kind: str,
    num_layers: int,
    hidden_dim: int,
    source: str,
) -> Recipe:
    return Recipe(
        name=name,
        teacher=teacher,
        student=StudentSpec(
            kind=kind,
            num_layers=num_layers,
            hidden_dim=hidden_dim,
            intermediate_dim=4 * hidden_dim,
        ),
        method=MiniLMv2(num_relation_heads=64, teacher_layer=_LAYER_OF_ROBERTA),
        data=DataSpec(source=source),
        train=TrainSpec(batch_size=256, learning_rate=6e-4),
    )
