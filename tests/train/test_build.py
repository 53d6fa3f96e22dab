"""Students as recipes describe them."""

import pytest

from tfminilm.errors import UsageError
from tfminilm.students.mobilebert_model import MobileBertBackbone
from tfminilm.train.build import build_student
from tfminilm.train.recipe import Recipe, StudentSpec

SIZES = {
    "num_layers": 1,
    "hidden_dim": 12,
    "num_heads": 2,
    "intermediate_dim": 6,
    "embedding_dim": 4,
    "bottleneck_dim": 8,
    "max_sequence_length": 512,
    "dropout": 0.3,
}


@pytest.mark.parametrize(
    ("kind", "num_feedforwards", "attention_input", "dropout"),
    [
        ("ib_bert", 1, "block", 0.3),
        ("mobilebert", 4, "shared", 0.0),
        ("mobilebert_tiny", 2, "bottleneck", 0.0),
        ("mobilebert_without_opt", 4, "shared", 0.0),
    ],
)
def test_mobileberts(kind, num_feedforwards, attention_input, dropout):
    spec = StudentSpec(kind=kind, **SIZES)
    model = build_student(spec, 50)
    assert type(model) is MobileBertBackbone
    assert num_feedforwards == model.num_feedforwards
    assert (model.hidden_dim, model.bottleneck_dim) == (12, 8)
    assert (model.embedding_dim, model.intermediate_dim) == (4, 6)
    assert attention_input == model.attention_input
    assert (model.dropout, model.attention_dropout) == (dropout, 0.3)
    spec = StudentSpec(
        kind=kind, **SIZES, num_feedforwards=3, attention_input="block"
    )
    model = build_student(spec, 50)
    assert (model.num_feedforwards, model.attention_input) == (3, "block")


def test_heads_divide_what_they_share():
    def parse(**sizes):
        spec = StudentSpec(kind="mobilebert", **SIZES | sizes)
        Recipe.parse(Recipe(student=spec).config())

    parse(hidden_dim=13)
    with pytest.raises(UsageError, match=r"student.bottleneck_dim is 9, expec"):
        parse(bottleneck_dim=9)
