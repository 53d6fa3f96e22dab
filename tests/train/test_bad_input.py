"""What cannot be run is refused in one line, before anything is written."""

import json
import shutil

import pytest


@pytest.fixture
def refused(tmp_path, distill, capfd):
    """`refused(*flags)`: the code and the only line; no workdir is left."""

    def run(*flags):
        capfd.readouterr()
        code = distill(tmp_path / "run", *flags)
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("tfminilm: ")
        assert not (tmp_path / "run").exists()
        return code, lines[0]

    return run


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["train.stepz=1"], "unknown key train.stepz; did you mean train.ste"),
        (["train.steps=many"], "invalid literal for int()"),
        (["train.steps=-1"], "train.steps is -1, expected 1 or more"),
        (["method.name=MiniML"], "did you mean MiniLM?"),
        (
            ["student.init=1;2"],
            "expected uniform, bottom, embeddings, pruned, random",
        ),
        (["data.sequence_length=64"], "is 64, expected 8 to 32"),
    ],
)
def test_malformed_recipe(refused, flags, said):
    code, line = refused(*(f"--config.{flag}" for flag in flags))
    assert code == 2
    assert said in line


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["student.num_heads=4"],
            "the teacher has 2, the student 4; build the student with num_he",
        ),
        (["student.init=5"], "the teacher has no layer 5"),
        (["student.init=0,1"], "1 teacher layers, one for each"),
        (["student.init=0", "student.hidden_dim=32"], "shapes differ"),
        (["method.teacher_layer=2"], "layer 2: the model has 2 layers"),
        (["method.student_layer=-2"], "layer -2: the model has 1 layers"),
        (
            ["method.value_weight=0.0", "method.attention_weight=0.0"],
            "MiniLM has no loss left",
        ),
        (
            [
                "student.init=random",
                "student.max_sequence_length=64",
                "data.sequence_length=64",
            ],
            "is 64, but the teacher's position table ends at 32",
        ),
        (["teacher=nowhere"], "no model 'nowhere': expected a workdir"),
        (["teacher=no/where"], "no model at no/where: expected a workdir"),
        (["teacher=package:no_such_package/model"], "is not installed"),
        (["data.source=no/where"], "text source 'no/where' does not exist"),
    ],
)
def test_what_does_not_go_together(refused, flags, said):
    code, line = refused(*(f"--config.{flag}" for flag in flags))
    assert code == 1
    assert said in line


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def truncated(folder):
    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:3000])


def without_weights(folder):
    (folder / "model.weights.h5").unlink()


def half_config(folder):
    config = folder / "config.json"
    config.write_text(config.read_text()[:50])


def other_architecture(folder):
    config = json.loads((folder / "config.json").read_text())
    config["config"]["num_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))


def no_encoder(folder):
    config = json.loads((folder / "config.json").read_text())
    config["registered_name"] = "keras_hub>ResNetBackbone"
    config["class_name"] = "ResNetBackbone"
    (folder / "config.json").write_text(json.dumps(config))


def without_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def without_special_tokens(folder):
    vocabulary = next(folder.rglob("vocabulary.txt"))
    vocabulary.write_text(vocabulary.read_text().replace("[SEP]", "sep"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (empty, "has no config.json: expected a workdir"),
        (truncated, "cannot load a model from"),
        (without_weights, "has no weights: expected model.weights.h5"),
        (half_config, "config.json cannot be read: it is no JSON"),
        (other_architecture, "cannot load a model from"),
        (no_encoder, "cannot load a model from"),
        (without_tokenizer, "cannot load a tokenizer from"),
        (without_special_tokens, "[SEP]"),
    ],
)
def test_damaged_teacher(refused, tiny, tmp_path, damage, said):
    teacher = shutil.copytree(tiny.teacher, tmp_path / "teacher")
    damage(teacher)
    code, line = refused(f"--config.teacher={teacher}")
    assert code == 1
    assert said in line
    assert str(teacher) in line


def test_tokenizer_of_another_model(refused, save_teacher, tmp_path):
    save_teacher(tmp_path / "teacher", more_words=("house", "tree"))
    code, line = refused(f"--config.teacher={tmp_path / 'teacher'}")
    assert code == 1
    assert "teacher has 72 tokens, and the model's table 70 rows" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "holds no .txt file"),
        (b"", "text.txt"),
        (b"PK\x03\x04\x00\x00binary", "is a binary file"),
        ("Wörter überall. ".encode("latin-1") * 200, "is not UTF-8"),
        (b"The time was new.\n", "sequence"),
    ],
)
def test_text_that_is_none(refused, tmp_path, content, said):
    folder = tmp_path / "text"
    folder.mkdir()
    if content is not None:
        (folder / "text.txt").write_bytes(content)
    code, line = refused(f"--config.data.source={folder}")
    assert code == 1
    assert said in line or said == "text.txt"
    assert str(folder) in line


@pytest.mark.parametrize(("every", "code"), [(20, 0), (4, 1)])
def test_text_that_the_vocabulary_cannot_spell(
    tmp_path, tiny, distill, capfd, every, code
):
    words = next(tiny.text.glob("*.txt")).read_text().split(" ")
    words[::every] = ["天"] * len(words[::every])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "text.txt").write_text(" ".join(words))
    capfd.readouterr()
    flags = [f"data.source={tmp_path / 'text'}", "train.steps=1"]
    flags = [f"--config.{flag}" for flag in flags]
    assert distill(tmp_path / "run", *flags) == code
    lines = capfd.readouterr().err.splitlines()
    [line] = [line for line in lines if "are unknown to the teacher" in line]
    assert ("expected text in its languages" in line) == code
    assert (tmp_path / "run" / "recipe.json").exists() != code


def test_workdir_that_is_a_file(tmp_path, distill, capfd):
    (tmp_path / "run").write_text("mine")
    capfd.readouterr()
    assert distill(tmp_path / "run") == 1
    assert "is a file, expected a folder" in capfd.readouterr().err
    assert (tmp_path / "run").read_text() == "mine"


def test_workdir_of_another_recipe(tmp_path, finished, distill, capfd):
    run = shutil.copytree(finished, tmp_path / "run")
    before = sorted(run.rglob("*"))
    capfd.readouterr()
    assert distill(run, "--config.train.learning_rate=0.5") == 1
    [line] = capfd.readouterr().err.splitlines()
    assert "train.learning_rate is 0.01 there, 0.5 here" in line
    (run / "recipe.json").write_text("{")
    assert distill(run) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert "recipe.json cannot be read: it is no JSON" in line
    assert "; use another --workdir, or remove" in line
    assert sorted(run.rglob("*")) == before
