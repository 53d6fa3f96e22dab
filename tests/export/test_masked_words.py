"""Heads for masked words in Hugging Face folders."""

import json
import pathlib

import keras
import make_masked_words as made
import numpy as np
import pytest
import safetensors.numpy

from tfminilm import students, teachers
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.export.server import hugging_face, masked_words
from tfminilm.export.server.folder import export_folder
from tfminilm.export.source import left_out, load_exportable
from tfminilm.export.target import Target

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


TARGET = Target(format="hugging_face", lengths=(8,))


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "masked_words.npz")


def logits(model):
    ids, mask = made.batch()
    given = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": mask}
    whole = masked_words.at_all_places(model)
    outputs = whole({name: given[name] for name in whole.input})
    return keras.ops.convert_to_numpy(outputs["token_logits"])[mask > 0]


@pytest.mark.parametrize("name", made.FAMILIES)
def test_transformers_computes_the_same(name, golden, tmp_path):
    model, words = made.model(name), made.tokenizer(name)
    hugging_face.write(model, words, tmp_path)
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    assert made.made.digest(tmp_path) == str(golden[f"{name}/digest"])
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["architectures"] == [str(golden[f"{name}/class"])]
    wanted = logits(model)
    found = golden[f"{name}/logits"]
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5)
    again = load_exportable(tmp_path, masked_words=True).model
    assert type(again) is type(model)
    np.testing.assert_allclose(logits(again), wanted, atol=1e-6)


def student(kind, **options):
    shape = made.SIZE | {"vocabulary_size": len(made.made.WORDS)} | options
    return getattr(students, kind)(**shape)


def test_a_student_and_what_is_left_out(tmp_path):
    model = teachers.build_masked_lm(student("distilbert"))
    words = made.made.tokenizer()
    # Its head has an epsilon of its own, which counts as long as states are
    # as small as new ones.
    new = model, words, TARGET, tmp_path / "hf", ["the cat"]
    with pytest.raises(UserError, match=r"token_logits .* \(--as=encoder\)$"):
        export_folder(*new)
    assert not (tmp_path / "hf").exists()
    random = np.random.default_rng(0)
    for variable in model.weights:
        value = 0.5 * random.normal(size=variable.shape)
        variable.assign(value + (variable.name == "gamma"))
    model.save_to_preset(tmp_path / "preset")
    words.save_to_preset(tmp_path / "preset")
    for part, output in (("", "token_logits"), ("encoder", "sequence_output")):
        loaded = load_exportable(tmp_path / "preset", part, masked_words=True)
        arguments = loaded.model, words, TARGET, tmp_path / "hf", ["the cat"]
        parity = export_folder(*arguments).parity
        assert output in parity.outputs
        assert parity.outputs[output].max_difference < 1e-4
    assert not hasattr(load_exportable(tmp_path / "preset").model, "backbone")
    hugging_face.write(model, words, tmp_path / "head")
    for folder, is_there in (("preset", 1), ("head", 1), ("hf", 0)):
        assert bool(left_out(tmp_path / folder, False)) == is_there
    assert not left_out(tmp_path / "preset", True)
    with pytest.raises(UserError, match="without a head for a task"):
        load_exportable(tmp_path / "preset", "task", masked_words=True)


@pytest.mark.parametrize(
    ("kind", "options", "fault"),
    [
        ("bert", {}, "its head is gelu, expected gelu_approximate"),
        ("mobilebert", {"next_sentence": True}, "predicts next sentences too"),
    ],
)
def test_what_transformers_has_not(kind, options, fault, tmp_path):
    sizes = {"bottleneck_dim": 8, "embedding_dim": 8}
    backbone = student(kind, **(sizes if kind == "mobilebert" else {}))
    model = teachers.build_masked_lm(backbone, **options)
    with pytest.raises(UserError, match=f"{fault}.*--as=encoder"):
        hugging_face.write(model, made.made.tokenizer(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_tables_of_logits_are_refused(tmp_path):
    name = "mobilebert_padding"
    hugging_face.write(made.model(name), made.tokenizer(name), tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    tensors["cls.predictions.decoder.weight"][3] += 1  # No padding's row.
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})
    with pytest.raises(UserError, match="tie_word_embeddings is false"):
        teachers.load_masked_lm(tmp_path)


def test_published_with_its_head(tmp_path, capsys):
    name, run = "electra_plain", tmp_path / "preset"
    made.model(name).save_to_preset(run)
    made.tokenizer(name).save_to_preset(run)
    flags = f"--model={run}", "--license=mit"
    for part, end in (("", "ForMaskedLM"), ("encoder", "Model")):
        hub = tmp_path / f"hub{part}"
        more = [f"--as={part}"] if part else []
        assert main(["publish", *flags, f"--output={hub}", *more]) == 0
        settings = json.loads((hub / "config.json").read_text())
        assert settings["architectures"] == [f"Electra{end}"]
        card = (hub / "README.md").read_text()
        assert ('pipeline_tag: "fill-mask"' in card) == (not part)
        assert ("import AutoModelForMaskedLM," in card) == (not part)
        assert "left out" not in capsys.readouterr().out
