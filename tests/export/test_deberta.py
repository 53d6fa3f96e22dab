"""DeBERTa-v3 in Hugging Face folders of ours, and on phones."""

import keras
import make_deberta_folders as made
import make_token_ids
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from tfminilm import UserError, teachers
from tfminilm.export.bundle import reader, writer
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.target import Target
from tfminilm.tasks import encode, heads
from tfminilm.tokenizer import pieces


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("deberta")
    made.write(root)
    return root


def outputs(model):
    ids, mask = made.batch()
    inputs = {"token_ids": ids, "padding_mask": mask}
    found = model({k: x.astype("int32") for k, x in inputs.items()})
    found = found if isinstance(found, dict) else {"": found}
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


@pytest.mark.parametrize("name", made.CLASSES)
def test_transformers_computes_the_same(name, folders, golden):
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    assert made.digest(folders / name) == str(golden[f"{name}/digest"])
    is_bare = name == "bare"
    load = teachers.load_backbone if is_bare else heads.load_head
    again, real = outputs(load(folders / name)), made.batch()[1] > 0
    for key, value in outputs(made.build(name)[0]).items():
        np.testing.assert_array_equal(again[key], value)
        usual = "last_hidden_state" if is_bare else "logits"
        wanted = golden[f"{name}/{key or usual}"]
        if name in ("bare", "span"):
            value, wanted = value[real], wanted[real]
        assert value.shape == wanted.shape
        np.testing.assert_allclose(value, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["bare", "classes"])
def test_tokenizers_agree(name, folders, golden):
    lines = list(make_token_ids.LINES)
    read = teachers.load_tokenizer(folders / name)
    ids, lengths = encode.tokens_of(lines, read)
    assert lengths.tolist() == golden[f"{name}/lengths"].tolist()
    assert ids.tolist() == golden[f"{name}/ids"].tolist()
    # As the tokenizer that was written, but for lines of the first that
    # `tokenizers` cuts otherwise, see `tokenizer/test_deberta.py`.
    before = encode.tokens_of(lines, made.build(name)[1])
    places = [np.cumsum(one)[:-1] for one in (lengths, before[1])]
    rows = zip(
        np.split(ids, places[0]), np.split(before[0], places[1]), strict=True
    )
    differ = {i for i, (x, y) in enumerate(rows) if x.tolist() != y.tolist()}
    assert differ <= ({1, 3, 5, 12, 18} if name == "bare" else set())


def test_a_pair(folders, golden):
    read = teachers.load_tokenizer(folders / "classes")
    start, end, between = encode.special_ids(read)
    first, second = (read(text).tolist() for text in made.PAIR)
    wanted = [start, *first, *[end] * between, *second, end]
    assert wanted == golden["classes/pair"].tolist()


@pytest.mark.parametrize("name", made.CLASSES)
def test_a_phone_computes_the_same(name):
    model = made.build(name)[0]
    graph, wanted = MobileGraph(model), outputs(model)
    call = graph.signature(9)
    ids, mask = (x.astype("int32") for x in made.batch())
    for row, length in enumerate((9, 5, 1)):
        found = call(
            token_ids=tf.constant(ids[row : row + 1]),
            padding_mask=tf.constant(mask[row : row + 1]),
        )
        for key, value in wanted.items():
            usual = "sequence_output" if name == "bare" else "logits"
            got, real = found[key or usual].numpy()[0], value[row]
            if name in ("bare", "span"):
                got, real = got[:length], real[:length]
            np.testing.assert_allclose(got, real, atol=1e-5)


def test_one_token():
    model = made.build("bare")[0]
    found = MobileGraph(model).signature(1)(
        token_ids=tf.constant([[7]]), padding_mask=tf.constant([[1]])
    )
    # Keras warns of a softmax of one score: a padded token is beside it.
    inputs = {"token_ids": [[7, 0]], "padding_mask": [[1, 0]]}
    wanted = model({k: np.array(x) for k, x in inputs.items()})[:, :1]
    np.testing.assert_allclose(found["sequence_output"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("bare", "static_wi8_ai8"),
        ("classes", "dynamic_wi8_afp32"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("bare", "float32"),
                ("classes", "static_wi8_ai8"),
                ("span", "float32"),
            )
        ),
    ],
)
def test_a_file_is_one_partition(name, precision, tmp_path):
    path = tmp_path / "model.tflite"
    ids, mask = (np.pad(x, ((0, 0), (0, 7))) for x in made.batch())
    texts = {"token_ids": ids, "padding_mask": mask}
    texts = {key: x.astype("int32") for key, x in texts.items()}
    model = made.build(name)[0]
    file = convert(model, precision, (16,), batch=lambda length: texts)
    path.write_bytes(file)
    assert profile.partitions(path) == {"encode_16": 1}
    assert profile.custom_operators(path) == []


def test_a_bundle(tmp_path):
    """Its pieces are laid out as the app reads them, and cut texts alike."""
    model, tokenizer = made.build("bare")
    folder = tmp_path / "bundle"
    writer.export_bundle(model, tokenizer, Target(lengths=(16,)), folder)
    bundle = reader.open_bundle(folder)
    settings = bundle.manifest.tokenizer
    mask = tokenizer.mask_token_id
    wanted = {"cls": 1, "sep": 2, "pad": 0, "mask": mask, "unk": 3}
    assert settings.special_ids == wanted
    assert (settings.id_offset, settings.separators_between_texts) == (0, 1)
    lines = list(make_token_ids.LINES)
    ids, lengths = encode.tokens_of(lines, tokenizer)
    for one, other in zip(
        encode.tokens_of(lines, bundle.tokenizer), (ids, lengths), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    # As the app takes a piece's number: 0 is what is unknown.
    engine = sentencepiece.SentencePieceProcessor(
        model_proto=(folder / "sentencepiece.model").read_bytes()
    )
    places = np.cumsum(lengths)[:-1]
    for line, wanted in zip(lines, np.split(ids, places), strict=True):
        found = [3 if i == 0 else i for i in engine.encode(line)]
        assert sorted(found) == sorted(wanted.tolist())
    assert 3 in ids


def test_other_rules_in_a_bundle(tmp_path):
    model, tokenizer = made.build("classes")
    with pytest.raises(UserError, match=r"expected SentencePiece's, as of a m"):
        writer.export_bundle(
            model.backbone,
            tokenizer,
            Target(lengths=(16,)),
            tmp_path / "bundle",
        )


def test_another_layout_in_a_bundle():
    _, tokenizer = made.build("bare")
    proto = pieces.swapped_unknown(tokenizer.proto)
    assert pieces.swapped_unknown(proto, 3) == tokenizer.proto
    for damaged, place in ((proto, 4), (tokenizer.proto, 1), (b"x", None)):
        with pytest.raises(UserError, match="not laid out as DeBERTa's"):
            pieces.swapped_unknown(damaged, place)
