"""The numbers of shipped recipes beside those that were published."""

import pathlib

import pytest

from tfminilm.commands import recipes
from tfminilm.train.recipe import Recipe

ROOT = pathlib.Path(__file__).parents[2]


def stages(name):
    path = ROOT / "students" / f"{name}.py"
    return Recipe.parse(recipes.load_recipe(str(path))).runs()


@pytest.mark.parametrize(
    ("name", "published"),
    [
        # MiniLM (arXiv 2002.10957), section 4.1: steps, batch, learning rate.
        ("minilm_l6_h768", {"": (400_000, 1024, 5e-4)}),
        ("minilm_l12_h384", {"": (400_000, 256, 3e-4)}),
        ("minilm_l6_h384", {"": (400_000, 256, 3e-4)}),
        ("minilm_l4_h384", {"": (400_000, 256, 3e-4)}),
        ("minilm_l3_h384", {"": (400_000, 256, 3e-4)}),
        ("mlm_kd_l6_h384", {"": (400_000, 256, 3e-4)}),
        # The same paper, multilingual.
        ("mminilm_l12_h384", {"": (1_000_000, 256, 3e-4)}),
        (
            "mminilm_l6_h384",
            {
                "assistant": (1_000_000, 256, 3e-4),
                "small": (400_000, 512, 6e-4),
            },
        ),
    ],
)
def test_steps_batch_and_learning_rate(name, published):
    found = {
        stage: (run.train.steps, run.train.batch_size, run.train.learning_rate)
        for stage, run in stages(name).items()
    }
    assert found == published


def test_the_assistant_teaches_the_small_multilingual_one():
    small = stages("mminilm_l6_h384")["small"]
    assert (small.teacher, small.student.num_layers) == ("assistant", 6)
