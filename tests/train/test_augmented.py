"""TinyBERT's augmentation in a stage: models, shards, and what is refused."""

import dataclasses
import shutil
import types

import keras
import pytest

from tfminilm import teachers
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.methods import TinyBERT
from tfminilm.tasks import heads
from tfminilm.tasks.example import Example
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train.distillation import select_job
from tfminilm.train.models import Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe, TrainSpec
from tfminilm.train.sources import augmented
from tfminilm.train.sources.augmented import LanguageModel, tinybert_copies
from tfminilm.train.workdir import Workdir

EXAMPLES = [
    Example("0", ("the first two were new", "time is over"), 1),
    Example("1", ("", "the"), 0),
    Example("2", ("two people", "later people made it new"), 1),
]

RECIPE = """
from tfminilm import methods
from tfminilm.train import recipe

def stage(method, **student):
    return recipe.Stage(
        teacher={head!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16,
            max_sequence_length=32, **student,
        ),
        method=method,
        data=recipe.DataSpec(
            source="task:sst2", folder={task!r}, sequence_length=16,
            augment_copies=2, augmentation="tinybert", masked_lm={masked!r},
        ),
        train=recipe.TrainSpec(
            steps=48, batch_size=8, learning_rate=1e-2, warmup_steps=2,
            precision="float32", log_every=12, held_out_sequences=16,
        ),
    )

def get_config(mode=""):
    return recipe.Recipe(
        name="tiny_tinybert",
        stages={{
            "intermediate": stage(methods.TinyBERT()),
            "prediction": stage(
                methods.TinyBERT.prediction(),
                init="uniform", init_from="intermediate",
            ),
        }},
    ).config(mode)
"""


@pytest.fixture(scope="module")
def masked(tiny, tmp_path_factory):
    """A masked language model with the tiny teacher's vocabulary."""
    folder = tmp_path_factory.mktemp("masked") / "model"
    model = teachers.build_masked_lm(load_backbone(tiny.teacher))
    model.save_to_preset(str(folder))
    load_tokenizer(tiny.teacher).save_to_preset(str(folder))
    return folder


@pytest.fixture
def spec(masked):
    return DataSpec(
        source="task:mrpc",
        sequence_length=16,
        augment_copies=3,
        augmentation="tinybert",
        masked_lm=str(masked),
    )


def copies(spec, teacher, folder, seed=0, examples=EXAMPLES):
    progress = Progress()
    found = tinybert_copies(spec, examples, teacher, seed, folder, progress)
    return list(found)


@pytest.fixture
def count_models(monkeypatch):
    """How often words were looked for."""
    made = []
    make = augmented._augmenter

    def counted(*args):
        made.append(args)
        return make(*args)

    monkeypatch.setattr(augmented, "_augmenter", counted)
    return made


def test_copies_are_made_once(spec, tiny, tmp_path, count_models):
    (found,) = copies(spec, tiny.teacher, tmp_path)
    assert {example.id for example in found} == {"0-new", "2-new"}
    assert all(example.label is None for example in found)
    assert all(len(example.texts) == 2 for example in found)
    # A kill between shards leaves the ones before it.
    assert [found] == copies(spec, tiny.teacher, tmp_path)
    assert len(count_models) == 1
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["00000.jsonl"]


def test_what_decides_the_copies_has_its_own_shards(
    spec, tiny, tmp_path, monkeypatch
):
    no_copies = types.SimpleNamespace(augment=lambda texts, first: [])
    monkeypatch.setattr(augmented, "_augmenter", lambda *_: no_copies)
    glove = tmp_path / "glove.txt"
    glove.write_text("people 1 0\nbroken\nfolk 1 0.1\n")
    folder = tmp_path / "shards"
    for other, seed in (
        (spec, 0),
        (spec, 1),
        (dataclasses.replace(spec, augment_copies=2), 0),
        (dataclasses.replace(spec, masked_lm="none"), 0),
        (dataclasses.replace(spec, word_vectors=str(glove)), 0),
    ):
        copies(other, tiny.teacher, folder, seed)
    assert len(list(folder.iterdir())) == 5


def test_counts_the_lines_that_it_skips(spec, tiny, tmp_path, capfd):
    glove = tmp_path / "glove.txt"
    glove.write_text("people 1 0\nbroken\nfolk 1 0.1\n")
    spec = dataclasses.replace(
        spec, word_vectors=str(glove), masked_lm="none", augment_copies=8
    )
    (found,) = copies(spec, tiny.teacher, tmp_path / "shards")
    assert "glove.txt: 1 broken lines skipped" in capfd.readouterr().err
    words = {w for x in found for text in x.texts for w in text.split()}
    assert "folk" in words


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"masked_lm": ""},
            "has no masked-language-model head.*; name one in data.masked_lm, "
            "or set that to 'none' to take all words from word vectors",
        ),
        ({"masked_lm": "nowhere"}, "no model 'nowhere'.*; name one in data.m"),
        ({"word_vectors": "no.txt"}, r"no word vectors at no\.txt"),
    ],
)
def test_says_what_is_missing(spec, tiny, options, said):
    with pytest.raises(UserError, match=said) as error:
        LanguageModel.load(dataclasses.replace(spec, **options), tiny.teacher)
    assert "\n" not in str(error.value)


def test_the_teachers_own_head_will_do(spec, masked):
    own = dataclasses.replace(spec, masked_lm="")
    assert LanguageModel.load(own, masked).masked is not None


@pytest.mark.parametrize(
    ("augmentation", "text"), [("tinybert", "of the"), ("bilstm", "")]
)
def test_says_that_nothing_could_be_changed(
    tiny, tmp_path, capfd, augmentation, text
):
    for name in ("train", "dev"):
        lines = ["sentence\tlabel", f"{text}\t0", f"{text}\t1"]
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    data = DataSpec(
        source="task:sst2",
        folder=str(tmp_path),
        sequence_length=16,
        augment_copies=2,
        augmentation=augmentation,
        masked_lm="none",
        replace_words=False,
    )
    recipe = Recipe(
        teacher=str(tiny.teacher), data=data, train=TrainSpec(batch_size=2)
    )
    models = Models(None, None, load_tokenizer(tiny.teacher))
    run = Workdir(tmp_path / "run", recipe)
    opened = select_job(recipe).open_data(models, run, Progress())
    assert "augmenting: 0 copies, as no text has" in capfd.readouterr().err
    assert opened.batches_per_epoch == 1


def test_questions_are_not_changed(tiny):
    recipe = Recipe(
        data=DataSpec(source="task:squad", augment_copies=1),
        method=TinyBERT.prediction(),
    )
    with pytest.raises(UserError, match="changed words would be no answers"):
        select_job(recipe)


@pytest.fixture(scope="module")
def recipe(tiny, masked, tmp_path_factory):
    """A recipe of both stages on a task, with a fine-tuned teacher."""
    folder = tmp_path_factory.mktemp("task")
    rows = [f"{x}\t{i % 2}" for i, x in enumerate(["first new", "two"] * 12)]
    for name in ("train", "dev"):
        lines = ["sentence\tlabel", *rows]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    task = get_task("sst2")
    keras.utils.set_random_seed(1)  # It tells the two texts apart.
    head = heads.build_head(task, load_backbone(tiny.teacher))
    for weight in head.weights:  # It says something definite.
        if weight.name == "kernel" and weight.shape[-1] == 2:
            weight.assign(200 * weight)
    head.save_to_preset(str(folder / "head"))
    load_tokenizer(tiny.teacher).save_to_preset(str(folder / "head"))
    Settings("sst2", task.kind, task.labels, 16).save(folder / "head")
    path = folder / "recipe.py"
    places = {"head": folder / "head", "task": folder, "masked": masked}
    path.write_text(RECIPE.format(**{k: str(v) for k, v in places.items()}))
    return path


@pytest.mark.slow
def test_both_stages_learn_from_the_same_copies(recipe, rows, tmp_path):
    run = tmp_path / "run"
    assert main(["distill", f"--config={recipe}", f"--workdir={run}"]) == 0
    assert len(list((run / "text").glob("augmented-*"))) == 1
    for name in ("intermediate", "prediction"):
        losses = [
            row["loss"]
            for row in rows(run / name)
            if row["split"] == "held_out"
        ]
        assert losses[-1] < 0.5 * losses[0]
    # Without augmentation no copy is made.
    shutil.rmtree(run)
    flags = [
        f"--config.stages.{name}.data.augment_copies=0"
        for name in ("intermediate", "prediction")
    ]
    flags.append("--config.stages.prediction.skip=True")
    flags += [f"--config={recipe}", f"--workdir={run}"]
    assert main(["distill", *flags]) == 0
    assert not list((run / "text").glob("augmented-*"))
    assert load_backbone(run).num_layers == 1


def test_a_missing_model_is_found_before_the_first_stage(
    recipe, tmp_path, capfd
):
    flags = [f"--config={recipe}", f"--workdir={tmp_path / 'run'}"]
    flags.append("--config.stages.prediction.data.masked_lm=")
    assert main(["distill", *flags]) == 1
    line = capfd.readouterr().err.splitlines()[-1]
    assert "stages.prediction: data.augmentation asks a masked lang" in line
    assert not (tmp_path / "run").exists()
