"""A teacher, a text and a recipe so small that a run takes seconds."""

import json
import pathlib
import types

import numpy as np
import pytest

WORDS = """the a of and in to was is for on as with by he that from at his it an
were are which this also be has or had its not one two first new time after who
their but her she been other most some more than into when can would there all
these only made may about over such between later many""".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

RECIPE = """
from tfminilm.train import recipe

def get_config(mode=""):
    return recipe.Recipe(
        name="tiny",
        teacher={teacher!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32,
            max_sequence_length=32, dropout=0.2, init="embeddings",
        ),
        data=recipe.DataSpec(
            source={text!r}, sequence_length=16, held_out_fraction=0.2
        ),
        train=recipe.TrainSpec(
            steps=12, batch_size=8, gradient_accumulation=2,
            learning_rate=1e-2, warmup_steps=2, precision="float32",
            log_every=5, evaluate_every=8, checkpoint_every=3,
            held_out_sequences=8,
        ),
    ).config(mode)
"""


def _save_bert(folder, words, scales, more_words=(), **sizes):
    """Save a BERT with random weights where `scales` has the variable's name.

    `more_words` are words of the tokenizer that the model has no row for.
    """
    import keras_hub

    model = keras_hub.models.BertBackbone(
        vocabulary_size=len(words), max_sequence_length=32, **sizes
    )
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in scales:
            value = random.normal(size=variable.shape)
            variable.assign(scales[variable.name] * value)
    tokenizer = keras_hub.models.BertTokenizer(
        [*words, *more_words], lowercase=True
    )
    model.save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))


def _save_teacher(folder, more_words=()):
    _save_bert(
        folder,
        [*SPECIAL, *WORDS, "."],
        {"kernel": 0.5, "embeddings": 0.5},
        more_words,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
    )


def _command(name, *given):
    from tfminilm.commands import main

    def run(workdir, *flags):
        return main([name, *given, f"--workdir={workdir}", *flags])

    return run


def _sentence(random):
    return " ".join(random.choice(WORDS, 8)).capitalize() + "."


def _write_text(folder):
    random = np.random.default_rng(0)
    folder.mkdir()
    documents = [
        " ".join(_sentence(random) for _ in range(6)) for _ in range(120)
    ]
    (folder / "text.txt").write_text("\n\n".join(documents) + "\n")


@pytest.fixture(scope="session")
def save_bert():
    """`save_bert(folder, words, scales, **sizes)` saves a tiny preset."""
    return _save_bert


@pytest.fixture(scope="session")
def save_teacher():
    """`save_teacher(folder, more_words)` saves the tiny teacher's preset."""
    return _save_teacher


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Paths of a teacher, a text and a recipe of 12 steps."""
    folder = tmp_path_factory.mktemp("tiny")
    paths = {name: folder / name for name in ("teacher", "text")}
    _save_teacher(paths["teacher"])
    _write_text(paths["text"])
    recipe = folder / "recipe.py"
    recipe.write_text(
        RECIPE.format(**{name: str(path) for name, path in paths.items()})
    )
    return types.SimpleNamespace(recipe=recipe, **paths)


@pytest.fixture(scope="session")
def command():
    """`command(name, *flags)`: a function of a workdir and more flags.

    It returns the exit code of the command.
    """
    return _command


@pytest.fixture(scope="session")
def distill(tiny):
    """`distill(workdir, *flags)`: the exit code of the command."""
    return _command("distill", f"--config={tiny.recipe}")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, distill):
    """The workdir of an uninterrupted run. Shared: tests copy it."""
    workdir = tmp_path_factory.mktemp("runs") / "finished"
    assert distill(workdir) == 0
    return workdir


def _rows(workdir):
    """The rows of metrics.jsonl without what the machine decides."""
    lines = pathlib.Path(workdir, "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row.pop("seconds", None)
        row.pop("tokens_per_second", None)
        row.pop("peak_memory_gib", None)
    return rows


def _state(workdir):
    """What tells one state of training from another, bit for bit."""
    newest = max(pathlib.Path(workdir, "checkpoints").glob("step-*"))
    return newest.name, (newest / "state.safetensors").read_bytes()


@pytest.fixture(scope="session")
def rows():
    return _rows


@pytest.fixture(scope="session")
def state():
    return _state
