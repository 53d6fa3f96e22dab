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


@pytest.mark.parametrize(
    ("name", "alpha", "beta", "temperature"),
    [("pkd_l6_h768", 0.5, 100.0, 10.0), ("pkd_l3_h768", 0.2, 1.0, 20.0)],
)
def test_patient_kd_on_sst2(name, alpha, beta, temperature):
    """result/glue/result_summary of the authors' repository, normalised."""
    (run,) = stages(name).values()
    method, width = run.method, run.student.hidden_dim
    layers = run.student.num_layers - 1
    assert (method.alpha, method.temperature) == (alpha, temperature)
    assert method.beta * layers * width == pytest.approx(beta)
    assert (method.class_mean, method.normalise) == (True, True)
    assert run.train.learning_rate == 5e-5
    # From BERT as it was pre-trained, not from the teacher.
    start = run.student.init, run.student.init_from
    assert start == ("bottom", "bert_base_en_uncased")
    assert run.teacher == "runs/bert_sst2"
    assert (run.train.best_by, run.train.evaluate_every) == ("score", 2_105)
