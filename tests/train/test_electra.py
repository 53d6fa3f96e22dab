"""An ELECTRA that learns from one: the class with names of its own."""

import keras_hub
import pytest

from tfminilm import students, teachers


def test_an_electra_learns_from_one(tmp_path, tiny, distill):
    words = list(teachers.load_tokenizer(tiny.teacher).get_vocabulary())
    folder = str(tmp_path / "teacher")
    students.electra(
        2, 16, num_heads=2, intermediate_dim=32, embedding_dim=4,
        vocabulary_size=len(words), max_sequence_length=32,
    ).save_to_preset(folder)  # fmt: skip
    tokenizer = keras_hub.models.ElectraTokenizer(words, lowercase=True)
    tokenizer.save_to_preset(folder)
    run = tmp_path / "run"
    flags = ("teacher=" + folder, "student.kind=electra", "train.steps=2")
    flags += ("student.embedding_dim=4", "student.init=uniform")
    assert distill(run, *(f"--config.{flag}" for flag in flags)) == 0
    student = teachers.load_backbone(run)
    assert type(student) is keras_hub.models.ElectraBackbone
    assert (student.vocab_size, student.embedding_dim) == (len(words), 4)


@pytest.mark.slow
def test_a_generator_teaches_masked_words(tmp_path, tiny, command):
    words = teachers.load_tokenizer(tiny.teacher).get_vocabulary()
    folder, run = str(tmp_path / "teacher"), tmp_path / "run"
    sizes = {"num_heads": 2, "vocabulary_size": len(words)}
    sizes |= {"intermediate_dim": 32, "max_sequence_length": 32}
    backbone = students.electra(2, 16, embedding_dim=4, **sizes)
    teachers.build_masked_lm(backbone).save_to_preset(folder)
    keras_hub.models.ElectraTokenizer(words, lowercase=True).save_to_preset(
        folder
    )
    flags = ("teacher=" + folder, "student.kind=electra", "train.steps=2")
    flags += ("student.embedding_dim=4", "student.init=uniform")
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        tiny.recipe.read_text()
        .replace("student=", "method=methods.MLMKD(), student=")
        .replace("from", "from tfminilm import methods\nfrom")
    )
    distill = command("distill", f"--config={recipe}")
    assert distill(run, *(f"--config.{flag}" for flag in flags)) == 0
    assert type(teachers.load_masked_lm(run)).__name__ == "ElectraMaskedLM"
