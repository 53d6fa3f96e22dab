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
    assert (method.class_mean, method.raw_states) == (True, False)
    assert run.train.learning_rate == 5e-5
    # From BERT as it was pre-trained, not from the teacher.
    start = run.student.init, run.student.init_from
    assert start == ("bottom", "bert_base_en_uncased")
    assert run.teacher == "runs/bert_sst2"
    assert (run.train.best_by, run.train.evaluate_every) == ("score", 2_105)


def test_distilbert_as_its_code_starts_it():
    """scripts/extract_distilbert.py and the defaults of train.py."""
    (run,) = stages("distilbert_l6_h768").values()
    assert run.student.init_layers() == [0, 2, 4, 7, 9, 11]
    assert (run.train.weight_decay, run.train.beta_2) == (0.0, 0.98)
    assert (run.train.learning_rate, run.train.clip_norm) == (5e-4, 5.0)
    assert run.train.warmup_steps == pytest.approx(0.05 * run.train.steps)
    assert (run.data.mask_rate, run.data.mask_smoothing) == (0.15, 0.7)
    assert not run.data.whole_words


def test_distilbert_d_has_its_codes_defaults():
    """run_squad_w_distillation.py: 8 a GPU, 5e-5, three epochs."""
    (run,) = stages("distilbert_d").values()
    assert (run.train.batch_size, run.train.learning_rate) == (8, 5e-5)
    assert run.train.steps * 8 == pytest.approx(3 * 88_500, rel=0.01)
    assert (run.train.warmup_steps, run.train.weight_decay) == (0, 0.0)
    assert (run.method.temperature, run.method.alpha) == (2.0, 0.5)


def test_bilstm_on_sst2():
    """Section 4.2 of arXiv 1903.12136."""
    (run,) = stages("bilstm_sst2").values()
    assert run.student.lstm_units in (150, 300)
    assert run.student.hidden_dim in (200, 400)
    assert (run.student.embedding_dim, run.train.batch_size) == (300, 50)
    assert (run.student.frozen, run.data.augment_copies) == ("", 20)


@pytest.mark.parametrize("name", ["mobilebert", "mobilebert_tiny"])
def test_mobilebert_as_its_code_trains_it(name):
    """README.md, distill_util.py and run_pretraining.py of its authors."""
    found = stages(name)
    transfer = [run for key, run in found.items() if key[:5] == "layer"]
    assert [run.method.layer for run in transfer] == list(range(24))
    assert sum(run.train.steps for run in transfer) == 240_000
    for run in transfer:
        assert run.train.learning_rate == pytest.approx(3 * 1.5e-3)
        assert run.train.warmup_steps == 0.1 * run.train.steps
        assert run.train.final_rate == 0.9
        assert run.student.frozen == "embeddings"
        assert set(run.train.shares().values()) <= {0.1}
    last = found["pretraining"]
    assert last.train.learning_rate == 1.5e-3
    assert (last.train.steps, last.train.warmup_steps) == (500_000, 10_000)
    for run in (*transfer, last):
        assert (run.train.optimizer, run.train.batch_size) == ("lamb", 2_048)
        assert run.method.reads == "masked_pairs"
        assert run.student.dropout == 0.0


@pytest.mark.parametrize(
    ("name", "teacher", "kind", "shape"),
    [
        ("minilmv2_l6_h384_roberta_large", "roberta_large_en", "roberta", 6),
        ("minilmv2_l12_h384_roberta_large", "roberta_large_en", "roberta", 12),
        ("minilmv2_l6_h768_roberta_large", "roberta_large_en", "roberta", 6),
        ("mminilmv2_l6_h384", "xlm_roberta_large_multi", "xlm_roberta", 6),
        ("mminilmv2_l12_h384", "xlm_roberta_large_multi", "xlm_roberta", 12),
    ],
)
def test_minilmv2_from_large_teachers(name, teacher, kind, shape):
    """MiniLMv2 (arXiv 2012.15828): the 19th of 24 layers, 64 heads."""
    (run,) = stages(name).values()
    assert (run.teacher, run.student.kind) == (teacher, kind)
    assert (run.method.teacher_layer, run.method.num_relation_heads) == (18, 64)
    assert run.student.num_layers == shape
    assert f"_h{run.student.hidden_dim}" in name
    train = run.train
    found = train.steps, train.batch_size, train.learning_rate
    assert found == (400_000, 256, 6e-4)
