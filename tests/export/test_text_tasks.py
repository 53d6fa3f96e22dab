"""Files for MediaPipe Tasks and the TFLite Task Library, without the clients.

`tests/clients` runs such files in them.
"""

import json
import zipfile

import flatbuffers
import keras_hub
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tfminilm.errors import UserError
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.litert import flatbuffer
from tfminilm.export.target import Target
from tfminilm.export.text_tasks import writer
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer

LABELS = ("bad", "good")
SETTINGS = Settings("sst2", "classification", LABELS, 16)


def target(form, length=16, **options):
    return Target("x", form, lengths=(length,), **options)


class Read(flatbuffers.table.Table):
    """A table of a flatbuffer, read field by field."""

    def at(self, field):
        return self.Offset(4 + 2 * field)

    def text(self, field):
        return self.String(self.at(field) + self.Pos).decode()

    def number(self, field):
        kind = flatbuffers.number_types.Uint8Flags
        return self.Get(kind, self.at(field) + self.Pos)

    def table(self, field):
        return Read(self.Bytes, self.Indirect(self.at(field) + self.Pos))

    def tables(self, field):
        if not self.at(field):
            return []
        start, count = (
            self.Vector(self.at(field)),
            self.VectorLen(self.at(field)),
        )
        places = [self.Indirect(start + 4 * i) for i in range(count)]
        return [Read(self.Bytes, place) for place in places]


def metadata_of(path):
    """The root of a file's metadata, as MediaPipe finds it."""
    model = flatbuffer.read(path)
    entries = {entry.name: entry.buffer for entry in model.metadata}
    content = bytes(model.buffers[entries[b"TFLITE_METADATA"]].data)
    assert content[4:8] == b"M001"
    place = int.from_bytes(content[:4], "little")
    return Read(bytearray(content), place)


@pytest.fixture(scope="module")
def classifier(make_backbone, randomise):
    backbone = make_backbone(num_layers=1)
    return randomise(heads.FirstTokenClassifier(backbone, 2))


@pytest.fixture(scope="module")
def exported(classifier, tokenizer, sentences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text_task") / "out"
    form = target("mediapipe_classifier")
    writer.export_text_task(
        classifier, tokenizer, form, folder, sentences, SETTINGS, "A student"
    )
    return folder


def test_the_file_holds_words_labels_and_probabilities(
    exported, classifier, tokenizer, make_batch
):
    path = exported / "model.tflite"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["vocab.txt", "labels.txt"]
        entries = archive.infolist()
        assert {x.compress_type for x in entries} == {zipfile.ZIP_STORED}
        words = archive.read("vocab.txt").decode().split("\n")
        assert words == [*tokenizer.get_vocabulary(), ""]
        assert archive.read("labels.txt") == b"bad\ngood\n"
    interpreter = Interpreter(str(path))
    assert len(interpreter.get_signature_list()) == 1
    interpreter.allocate_tensors()
    batch = make_batch([9], 16)
    names = ("token_ids", "padding_mask", "segment_ids")
    for name, detail in zip(
        names, interpreter.get_input_details(), strict=True
    ):
        interpreter.set_tensor(detail["index"], batch[name])
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    got = interpreter.get_tensor(output["index"])
    logits = np.array(classifier(batch), np.float64)
    shares = np.exp(logits) / np.exp(logits).sum()
    assert shares.max() < 0.999
    np.testing.assert_allclose(got, shares, atol=1e-5)


def test_the_metadata_names_them(exported):
    model = metadata_of(exported / "model.tflite")
    manifest = json.loads((exported / "manifest.json").read_text())
    assert model.text(1) == manifest["description"]
    assert model.text(1).startswith("A student; give it texts in lower case")
    assert "without marks" in model.text(1)
    assert model.text(7) == "1.1.0"
    (graph,) = model.tables(3)
    inputs = [tensor.text(0) for tensor in graph.tables(2)]
    assert inputs == ["ids", "mask", "segment_ids"]
    (output,) = graph.tables(3)
    assert output.text(0) == "probability"
    (labels,) = output.tables(6)
    assert (labels.text(0), labels.number(2)) == ("labels.txt", 2)
    (unit,) = graph.tables(5)
    assert unit.number(0) == 4  # BertTokenizerOptions
    (vocabulary,) = unit.table(1).tables(0)
    assert (vocabulary.text(0), vocabulary.number(2)) == ("vocab.txt", 5)


def test_the_manifest_is_of_this_format(exported):
    manifest = json.loads((exported / "manifest.json").read_text())
    assert manifest["format"] == "tfminilm-mediapipe_classifier"
    assert {*manifest["files"]} == {"model.tflite", "vocab.txt", "labels.txt"}
    (signature,) = manifest["signatures"].values()
    assert signature["outputs"].keys() == {"probability"}
    assert manifest["parity"]["outputs"]["probability"]["agreement"] == 1
    require_replaceable(exported)  # The next export may take its place.


def test_a_model_without_segments_takes_them_and_leaves_them_aside(
    make_encoder, tokenizer, sentences, tmp_path
):
    model = make_encoder("distil_bert", num_layers=1)
    form = target("mediapipe_embedder")
    writer.export_text_task(model, tokenizer, form, tmp_path / "out", sentences)
    interpreter = Interpreter(str(tmp_path / "out/model.tflite"))
    (name,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(name)
    ids, ones = np.full((1, 16), 7, np.int32), np.ones((1, 16), np.int32)
    results = [
        run(token_ids=ids, padding_mask=ones, segment_ids=segments)
        for segments in (ones, 0 * ones)
    ]
    assert results[0].keys() == {"sentence_embedding"}
    first, second = (x["sentence_embedding"] for x in results)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (1, model.hidden_dim)


@pytest.mark.slow  # The states of all layers are written as well.
def test_what_is_not_near_enough_is_not_written(
    classifier, tokenizer, sentences, tmp_path
):
    form = target(
        "mediapipe_classifier",
        precision="dynamic_wi8_afp32",
        max_difference=1e-6,
    )
    arguments = (tokenizer, form, tmp_path / "out", sentences, SETTINGS)
    with pytest.raises(
        UserError, match=r"logits at length 16 differs by .* lay"
    ):
        writer.export_text_task(classifier, *arguments)
    assert not any(tmp_path.iterdir())


def test_a_target_of_several_lengths_is_refused(
    classifier, tokenizer, tmp_path
):
    form = Target("x", "mediapipe_classifier", lengths=(8, 16))
    with pytest.raises(UserError, match="expected one of 2 or more"):
        writer.export_text_task(
            classifier, tokenizer, form, tmp_path / "out", settings=SETTINGS
        )


def words(**options):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return keras_hub.models.BertTokenizer([*special, "a"], **options)


@pytest.mark.parametrize(
    ("form", "settings", "message"),
    [
        (
            target("mediapipe_embedder"),
            SETTINGS,
            "TextEmbedder does not take a "
            "model for classification: expected an encoder without a head",
        ),
        (target("mediapipe_classifier"), None, "for encoder: expected a class"),
        (
            target("mediapipe_classifier"),
            Settings("stsb", "regression", (), 16),
            "does not take a model for regression, which has no labels",
        ),
        (
            target("task_library"),
            Settings("mrpc", "classification", LABELS, 16, num_texts=2),
            "does not take a model that reads two texts together",
        ),
        (
            target("mediapipe_classifier"),
            Settings("x", "classification", ("a", "b\nc"), 16),
            r"cannot write 'b\\nc' into labels.txt: expected no empty line",
        ),
    ],
)
def test_other_models_are_refused(
    form, settings, message, classifier, tokenizer, tmp_path
):
    model = classifier if settings else classifier.backbone
    with pytest.raises(UserError, match=message):
        writer.export_text_task(
            model, tokenizer, form, tmp_path / "out", settings=settings
        )
    assert not (tmp_path / "out").exists()


def test_answers_have_one_length(make_backbone, tokenizer, tmp_path):
    model = heads.SpanFinder(make_backbone(num_layers=1))
    form = target("task_library", 96)
    with pytest.raises(UserError, match=r"expected \(384,\), the only one"):
        writer.export_text_task(
            model,
            tokenizer,
            form,
            tmp_path / "out",
            settings=Settings("squad", "qa", (), 64),
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: words(lowercase=False), "capital letters from small ones"),
        (
            lambda: words(lowercase=True, suffix_indicator="@@"),
            "the sign @@ inside of words",
        ),
        (
            lambda: words(lowercase=True),
            "rules than BERT's, such as KerasHub's",
        ),
        (
            lambda: load_tokenizer("tiny:xlm_roberta"),
            "a XLMRobertaTokenizer: expected BERT's word pieces in lower case; "
            "android_int8 writes a bundle",
        ),
    ],
)
def test_other_tokenizers_are_refused(make, message, classifier, tmp_path):
    with pytest.raises(UserError, match=message):
        writer.export_text_task(
            classifier,
            make(),
            target("mediapipe_classifier"),
            tmp_path / "out",
            settings=SETTINGS,
        )
