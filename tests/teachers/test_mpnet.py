"""MPNet's folders: what `transformers` computes of them, and we do."""

import importlib.util
import json
import pathlib
import shutil
import sys

import keras
import make_mpnet as made
import numpy as np
import pytest
import safetensors.numpy

import tfminilm
from tfminilm import UserError, methods, students, teachers
from tfminilm.export.check import calibration, parity
from tfminilm.layers import relative
from tfminilm.tasks import encode, heads
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import TextEmbedding, embedding_of


def load_script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


reference = load_script(pathlib.Path(__file__).with_name("numpy_encoders.py"))
SENTENCES = made.HERE / "sentences"
HEADED = [name for name in made.CASES if name.endswith(("es", "score", "span"))]
SIZES = {"num_heads": 2, "vocabulary_size": 40, "max_sequence_length": 9}


@pytest.fixture(scope="module")
def golden():
    return np.load(made.HERE / "golden.npz")


@pytest.fixture
def case(golden, tmp_path):
    """`case(name)`: a folder that a test may damage, and what is in it."""

    def write(name):
        folder = tmp_path / name
        return folder, *made.imports.write(golden, name, folder)

    return write


def compute(model, batch):
    ids = batch["input_ids"]
    places = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    given = {
        "token_ids": ids,
        "padding_mask": batch["attention_mask"],
        "mask_positions": places,
    }
    inputs = {name: given[name].astype("int32") for name in model.input}
    found = model(inputs, training=False)
    if not isinstance(found, dict):
        found = {"sequence_output": found}
    return {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}


def assert_close(ours, wanted, batch):
    """Where tokens are real, to 1e-5 of the largest number."""
    if ours.ndim == 3 or ours.shape == batch["input_ids"].shape:
        real = batch["attention_mask"] > 0
        ours, wanted = ours[real], wanted[real]
    assert np.abs(ours - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_buckets_are_those_of_the_paper():
    distances = np.arange(-600, 601)
    found = keras.ops.convert_to_numpy(relative.buckets(distances))
    np.testing.assert_array_equal(found, reference.buckets(distances))
    assert {*found} == set(range(32)) - {16}  # To the right of itself.


@pytest.mark.parametrize("name", made.CASES)
def test_backbones_are_right(name, golden, case, tmp_path):
    folder, settings, tensors = case(name)
    batch = made.imports.batch(settings)
    states = golden[f"{name}/states"]
    raw = reference.Folder(settings, tensors)
    assert_close(reference.states(raw, batch), states, batch)
    model = teachers.load_backbone(folder)
    found = compute(model, batch)
    assert_close(found["sequence_output"], states, batch)
    assert ("pooled_output" in found) == (name == "mpnet")
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_backbone(tmp_path / "preset")
    assert type(again) is type(model)
    for key, value in compute(again, batch).items():
        np.testing.assert_array_equal(value, found[key])


def test_a_long_text_fills_every_bucket(golden, case):
    folder, settings, tensors = case("mpnet")
    batch = made.long_batch()
    wanted = golden["mpnet/long"]
    raw = reference.Folder(settings, tensors)
    assert_close(reference.states(raw, batch), wanted, batch)
    model = teachers.load_backbone(folder)
    assert_close(compute(model, batch)["sequence_output"], wanted, batch)
    batch = made.imports.batch(settings)
    pooled = compute(model, batch)["pooled_output"]
    assert_close(pooled, golden["mpnet/pooler_output"], batch)


def test_its_inside(golden, case):
    folder, settings, _ = case("mpnet")
    batch = made.imports.batch(settings)
    parts = {"queries": "q", "keys": "k", "values": "v"}
    names = (*parts, "attention_probs", "attention_scores")
    asked = {name: [0, 1] for name in names} | {"hidden_states": [0, 1, 2]}
    found = compute(
        teachers.expose(teachers.load_backbone(folder), asked), batch
    )
    for index in range(2):
        for name, short in parts.items():
            ours = found[f"{name}/{index}"].swapaxes(1, 2)
            ours = ours.reshape(*ours.shape[:2], -1)
            assert_close(ours, golden[f"mpnet/{short}_{index}"], batch)
        probs = found[f"attention_probs/{index}"]
        wanted = golden[f"mpnet/attentions_{index}"]
        assert_close(
            *(x.swapaxes(1, 2)[..., 0] for x in (probs, wanted)), batch
        )
        np.testing.assert_allclose(
            probs[0], wanted[0], atol=1e-5
        )  # It has no padding.
        # The scores have the bias: a softmax of them alone is all.
        scores = np.exp(found[f"attention_scores/{index}"][0])
        scores /= scores.sum(-1, keepdims=True)
        np.testing.assert_allclose(scores, wanted[0], atol=1e-5)
    for index in range(3):
        wanted = golden[f"mpnet/hidden_states_{index}"]
        assert_close(found[f"hidden_states/{index}"], wanted, batch)


def test_the_masked_language_model(golden, case, tmp_path):
    folder, settings, tensors = case("mpnet_masked_lm")
    batch = made.imports.batch(settings)
    wanted = golden["mpnet_masked_lm/logits"]
    raw = reference.Folder(settings, tensors)
    logits = reference.masked_lm(raw, reference.states(raw, batch))
    assert_close(logits, wanted, batch)
    model = teachers.load_masked_lm(folder)
    (found,) = compute(model, batch).values()
    assert_close(found, wanted, batch)
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_masked_lm(tmp_path / "preset")
    np.testing.assert_array_equal(*compute(again, batch).values(), found)
    with pytest.raises(UserError, match="has no masked-language-model head"):
        teachers.load_masked_lm(case("mpnet")[0])


@pytest.mark.parametrize("name", HEADED)
def test_heads(name, golden, case):
    folder, settings, _ = case(name)
    batch = made.imports.batch(settings)
    for key, value in compute(heads.load_head(folder), batch).items():
        key = key.replace("sequence_output", "logits")
        assert_close(value, golden[f"{name}/{key}"], batch)
    found = Settings.load(folder)
    labels = ("yes", "maybe", "no") if name.endswith("classes") else ()
    assert found.labels == labels


def rewrite(folder, changes, tensors):
    path = folder / "config.json"
    settings = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(settings))
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("changes", "edit", "sentence"),
    [
        ({"relative_attention_num_buckets": 64}, {},
         "relative_attention_num_buckets is 64, expected 32, with which"),
        ({"pad_token_id": 0}, {}, "pad_token_id is 0, expected 1, with which"),
        ({"num_attention_heads": 3}, {},
         "encoder.relative_attention_bias.weight (32, 2) for (32, 3)"),
        ({}, {"encoder.relative_attention_bias.weight": None},
         "missing encoder.relative_attention_bias.weight"),
        ({}, {"pooler.dense.bias": None}, "missing pooler.dense.bias"),
        ({}, {"embeddings.token_type_embeddings.weight": np.zeros((2, 12))},
         "unknown embeddings.token_type_embeddings.weight"),
        ({"max_position_embeddings": 99}, {},
         "embeddings.position_embeddings.weight (162, 12) for (99, 12)"),
        ({"is_decoder": True}, {}, "is_decoder is True, expected false"),
    ],
)  # fmt: skip
def test_refused_by_name(changes, edit, sentence, case):
    folder, _, tensors = case("mpnet")
    tensors = {k: x for k, x in (tensors | edit).items() if x is not None}
    rewrite(folder, changes, tensors)
    with pytest.raises(UserError) as error:
        teachers.load_backbone(folder)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_ids_are_those_of_transformers(golden, tmp_path):
    words = teachers.load_tokenizer(SENTENCES)
    flat, lengths = encode.tokens_of(list(made.token_ids.LINES), words)
    rows = np.split(flat, np.cumsum(lengths)[:-1])
    wanted = json.loads(str(golden["ids"]))
    assert [row.tolist() for row in rows] == wanted
    # `[CLS]` and its like are in the vocabulary, and mean nothing.
    start, end, between = encode.special_ids(words)
    assert [start, end, words.pad_token_id, between] == [0, 2, 1, 2]
    assert words.mask_token_id == words.vocabulary_size() - 1
    pair = encode.encode_texts([made.PAIR], words, made.LENGTH)
    assert pair.token_ids.tolist() == golden["pair"].tolist()
    words.save_to_preset(str(tmp_path))
    teachers.load_backbone(SENTENCES).save_to_preset(str(tmp_path))
    again = teachers.load_tokenizer(tmp_path)
    assert again(list(made.token_ids.LINES)) == wanted


def test_a_vocabulary_without_its_special_words(tmp_path):
    folder = shutil.copytree(SENTENCES, tmp_path / "model")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"</s>"', '"</t>"'))
    with pytest.raises(UserError, match=r"cannot load a tokenizer .*'</s>'"):
        teachers.load_tokenizer(folder)


def test_embeddings_are_those_of_the_library(golden):
    model = teachers.load_backbone(SENTENCES)
    said = TextEmbedding("mean", normalize=True, max_length=made.LENGTH)
    assert embedding_of(model) == said
    texts = [(text,) for text in made.TEXTS]
    words = teachers.load_tokenizer(SENTENCES)
    batch = calibration.batch(words, texts, made.LENGTH)
    found = parity.keras_outputs(model, batch)["sentence_embedding"]
    np.testing.assert_allclose(found, golden["embeddings"], atol=1e-5)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (methods.MiniLM(), "mpnet"),
        (methods.MiniLMv2(2), "mpnet"),
        (methods.MiniLMv2(2), "bert"),
    ],
)
def test_it_teaches(method, kind, golden, case):
    folder, settings, _ = case("mpnet")
    teacher = teachers.load_backbone(folder)
    student = getattr(students, kind)(1, 8, **SIZES)
    distiller = tfminilm.Distiller(teacher, student, method)
    distiller.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    batch = made.imports.batch(settings)
    x = {
        "token_ids": batch["input_ids"].astype("int32"),
        "segment_ids": np.zeros((3, 9), "int32"),
        "padding_mask": batch["attention_mask"].astype("int32"),
    }
    losses = [distiller.train_on_batch(x, return_dict=True) for _ in range(3)]
    assert losses[-1]["loss"] < losses[0]["loss"]
    if kind == "mpnet" and isinstance(method, methods.MiniLM):
        # The table of biases learns from the scores.
        changed = student.position_bias.embedding.embeddings
        assert np.ptp(keras.ops.convert_to_numpy(changed)[0]) > 0


def test_a_student_starts_from_its_teacher(case):
    folder, _, _ = case("mpnet")
    teacher = teachers.load_backbone(folder)
    sizes = SIZES | {"intermediate_dim": 20}
    student = students.mpnet(1, 12, **sizes)
    paths = students.init_from_teacher(student, teacher)
    assert len(paths) == len(student.weights)
    for name in ("token_embedding", "position_bias"):
        one, other = (getattr(model, name) for model in (student, teacher))
        for mine, its in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(
                *map(keras.ops.convert_to_numpy, (mine, its))
            )


def test_a_folder_as_older_versions_wrote_it(golden, tmp_path):
    """With a list of words, a buffer of positions, and half precision."""
    folder = shutil.copytree(SENTENCES, tmp_path / "model")
    words = teachers.load_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    text = "\n".join(words.get_vocabulary()) + "\n"
    (folder / "vocab.txt").write_text(text, "utf-8")
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    short = {key: x.astype("float16") for key, x in tensors.items()}
    short["embeddings.position_ids"] = np.arange(34)[None]
    rewrite(folder, {}, short)
    again = teachers.load_tokenizer(folder)
    assert type(again) is type(words)
    lines = list(made.token_ids.LINES)
    assert again(lines) == json.loads(str(golden["ids"]))
    model, half = map(teachers.load_backbone, (SENTENCES, folder))
    for one, other in zip(model.weights, half.weights, strict=True):
        one, other = map(keras.ops.convert_to_numpy, (one, other))
        np.testing.assert_array_equal(one.astype("float16"), other)
