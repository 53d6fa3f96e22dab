"""Hugging Face folders: what `transformers` made of them, and we do."""

import io
import json
import pathlib

import keras
import keras_hub
import make_hugging_face as made
import numpy as np
import pytest
import sentencepiece

from tfminilm import students, teachers
from tfminilm.errors import UserError
from tfminilm.export.server import hugging_face
from tfminilm.export.server.folder import export_folder
from tfminilm.export.target import Target
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks import encode, heads
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import backbones
from tfminilm.tokenizer import engines
from tfminilm.tokenizer.hugging_face import of_family

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# What `transformers` calls our outputs.
NAMES = {
    "sequence_output": "last_hidden_state",
    "pooled_output": "pooler_output",
    "start_logits": "start_logits",
    "end_logits": "end_logits",
}


ENCODERS = [k for k, kind in made.CLASSES.items() if kind == "AutoModel"]
WHOLE = [
    f"{family}{end}"
    for family in ("distilbert", "roberta", "xlm-roberta", "albert", "electra")
    for end in ("", "_classifier")
]
HEADED = [name for name in made.CLASSES if name not in ENCODERS]


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "hugging_face.npz")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("hugging_face")
    made.write(root)
    return root


def outputs(model, num_segments=2):
    batch = made.batch(num_segments)
    given = {name: batch[name] for name in model.input}
    found = model(given, training=False)
    if not isinstance(found, dict):
        is_bare = isinstance(model, keras_hub.models.Backbone)
        found = {"sequence_output" if is_bare else "logits": found}
    return {name: np.array(value) for name, value in found.items()}


@pytest.mark.parametrize("name", made.CLASSES)
def test_transformers_computes_the_same(name, folders, golden):
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    assert made.digest(folders / name) == str(golden[f"{name}/digest"])
    mask = made.batch()["padding_mask"].astype(bool)
    found = outputs(made.student(name), made.segments(name))
    if name == "electra":  # It has no pooler there.
        del found["pooled_output"]
    for output, wanted in found.items():
        got = golden[f"{name}/{NAMES.get(output, output)}"]
        if output in ("sequence_output", "start_logits", "end_logits"):
            got, wanted = got[mask], wanted[mask]
        np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_our_own_loader_reads_it(name, folders):
    student = made.student(name)
    loaded = teachers.load_backbone(folders / name)
    assert loaded.get_config().keys() == student.get_config().keys()
    for wanted, got in zip(student.weights, loaded.weights, strict=True):
        wanted, got = np.array(wanted), np.array(got)
        if "mobilebert" in name and wanted.shape == (len(made.WORDS), 8):
            # `transformers` adds padding's embedding to its neighbours'.
            assert not got[0].any()
            wanted, got = wanted[1:], got[1:]
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", HEADED)
def test_our_own_loader_reads_the_head(name, folders):
    student, loaded = made.student(name), heads.load_head(folders / name)
    assert type(loaded) is type(student)
    assert loaded.dropout == student.dropout
    got = outputs(loaded)
    for key, wanted in outputs(student).items():
        np.testing.assert_allclose(got[key], wanted, atol=1e-6)
    labels = made.LABELS if name.endswith("classifier") else ()
    assert Settings.load(folders / name).labels == labels


@pytest.mark.parametrize("name", ENCODERS)
def test_the_second_text_has_a_segment_that_there_is(name, golden):
    ids, types = golden[f"{name}/pair"]
    words = made.tokenizer(name)
    start, end, between = encode.special_ids(words)
    first = [start, *words("a cat"), *[end] * between]
    second = [*words("a mat"), end]
    assert list(ids) == [*first, *second]
    segment = int(made.segments(name) > 1)
    assert list(types) == [0] * len(first) + [segment] * len(second)


def test_one_segment_is_for_this_format_alone(tmp_path):
    student = made.student("bert_1_segment")
    arguments = student, made.tokenizer()
    for kind in ("onnx", "saved_model"):
        target = Target(format=kind, lengths=(8,))
        with pytest.raises(UserError) as found:
            export_folder(*arguments, target, tmp_path / kind)
        assert f"num_segments=1 as {kind}: expected 2 or" in str(found.value)
    target = Target(format="hugging_face", lengths=(8,))
    texts = ["the cat", "a mat"]
    manifest = export_folder(*arguments, target, tmp_path / "hf", texts)
    assert manifest.parity.outputs
    assert teachers.load_backbone(tmp_path / "hf").num_segments == 1


@pytest.mark.parametrize("name", ["bert_span", "mobilebert_classifier"])
def test_our_own_loader_reads_the_encoder_below_a_head(name, folders):
    student = made.student(name).backbone
    got = outputs(teachers.load_backbone(folders / name))
    wanted = outputs(student)
    np.testing.assert_allclose(
        got["sequence_output"], wanted["sequence_output"], atol=1e-5
    )


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_what_it_computes_with_is_written(activation, tmp_path):
    own = backbones.BACKBONES["BertBackbone"]
    sizes = made.student("bert").get_config()
    student = own(**sizes, activation=activation, layer_norm_epsilon=0.1)
    hugging_face.write(student, made.tokenizer(), tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["hidden_act"] == activation
    assert settings["layer_norm_eps"] == 0.1
    got = outputs(teachers.load_backbone(tmp_path))
    for name, wanted in outputs(student).items():
        np.testing.assert_array_equal(got[name], wanted)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_export(name, tmp_path):
    target, settings = Target(format="hugging_face", lengths=(8,)), None
    if name.endswith("classifier"):
        settings = Settings("sst2", "classification", made.LABELS, 8)
    for _ in range(2):  # The second replaces the first.
        manifest = export_folder(
            made.student(name), made.tokenizer(name), target,
            tmp_path / "hf", ["the cat"], settings,
        )  # fmt: skip
    outputs = manifest.parity.outputs
    assert {"sequence_output", "logits"} & {*outputs}
    assert max(each.max_difference for each in outputs.values()) < 1e-6


def test_two_ways_to_compute_are_refused(tmp_path):
    student = made.student("bert")
    layer = student.transformer_layers[1]
    encoder_parts(layer).feedforward_norm.epsilon = 0.1
    with pytest.raises(UserError, match=r"an epsilon, and .* 1e-12, 0\.1"):
        hugging_face.write(student, made.tokenizer(), tmp_path)
    encoder_parts(layer).feedforward_norm.epsilon = 1e-12
    encoder_parts(layer).intermediate.activation = keras.ops.relu
    text = "an activation, and .* gelu_approximate, relu"
    with pytest.raises(UserError, match=text):
        hugging_face.write(student, made.tokenizer(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_epsilon_that_distilbert_has_not(tmp_path):
    own = backbones.BACKBONES["DistilBertBackbone"]
    sizes = made.student("distilbert").get_config()
    student = own(**sizes, activation="relu", layer_norm_epsilon=0.1)
    with pytest.raises(UserError, match=r"an epsilon of 0\.1 .* with 1e-12"):
        hugging_face.write(student, made.tokenizer(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ({"hidden_dim": 24}, "hidden_dim=24, expected 16"),
        ({"activation": "softmax"}, "an activation of the logits"),
    ],
)
def test_a_classifier_that_transformers_has_not(setting, fault, tmp_path):
    model = keras_hub.models.DistilBertTextClassifier(
        made.student("distilbert"), num_classes=2, **setting
    )
    with pytest.raises(UserError, match=fault):
        hugging_face.write(model, made.tokenizer(), tmp_path)
    assert list(tmp_path.iterdir()) == []


# KerasHub leaves the file of pieces open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "name", ["bert", "distilbert", "roberta", "xlm-roberta"]
)
def test_tokenizers_agree(name, folders, golden):
    words = teachers.load_tokenizer(folders / name)
    start, end, _ = encode.special_ids(words)
    ids = [start, *(int(i) for i in words(made.text(name))), end]
    assert ids == list(golden[f"{name}/ids"])
    if name != "roberta":  # It knows all bytes.
        unknown = 1 if name in made.WORD_PIECES else words.unk_token_id
        assert 0 < ids.count(unknown) < 5  # "unknown" is, and little else.
    wanted = list(made.tokenizer(name).get_vocabulary())
    assert list(words.get_vocabulary()) == wanted


def test_of_another_kind(tmp_path):
    student = students.bilstm(embedding_dim=4, lstm_units=4, hidden_dim=4)
    with pytest.raises(UserError, match="cannot write a BiLSTM"):
        hugging_face.write(student, made.tokenizer(), tmp_path)
    electra = students.electra(1, 8, 2, embedding_dim=4, vocabulary_size=22)
    head = heads.FirstTokenClassifier(electra, 2)
    with pytest.raises(UserError, match="activation is tanh, expected gelu"):
        hugging_face.write(head, made.tokenizer(), tmp_path)
    pieces = teachers.load_tokenizer("tiny:xlm_roberta")
    with pytest.raises(UserError, match="cannot write a XLMRobertaTokenizer"):
        hugging_face.write(made.student("bert"), pieces, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"model_type": "bpe"},
        {"user_defined_symbols": ["cat"]},
        {"treat_whitespace_as_suffix": True},
    ],
)
def test_pieces_that_tokenizers_cannot_cut(options, tmp_path):
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a cat sat", "the mat", "cats sit"]),
        model_writer=content, unk_id=0, bos_id=1, eos_id=2, minloglevel=2,
        vocab_size=22, hard_vocab_limit=False, **options,
    )  # fmt: skip
    pieces = keras_hub.models.XLMRobertaTokenizer(proto=content.getvalue())
    student = made.student("xlm-roberta")
    with pytest.raises(UserError, match="not cut texts by unigrams alone"):
        hugging_face.write(student, pieces, tmp_path)


def test_special_tokens_in_a_text_are_unknown_or_pieces():
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a cat sat", "the mat", "cats sit"]),
        model_writer=content, unk_id=0, bos_id=1, eos_id=2, minloglevel=2,
        vocab_size=22, hard_vocab_limit=False,
    )  # fmt: skip
    pieces = keras_hub.models.XLMRobertaTokenizer(proto=content.getvalue())
    engine = engines.xlm_roberta(content.getvalue())
    letters = made.tokenizer("xlm-roberta")  # "<" and ">" are among them.
    known = engines.xlm_roberta(letters.proto)
    for text in ("<mask> </s>a", "a<unk> <pad>", " cats  sat\tmat ", "zq cat"):
        for one, other in ((engine, pieces), (known, letters)):
            wanted = [int(i) for i in other(text)]
            assert one.encode(text, add_special_tokens=False).ids == wanted


def test_byte_pairs_by_the_rules_of_keras_hub(tmp_path):
    words = made.tokenizer("roberta")
    plain = keras_hub.models.RobertaTokenizer(words.vocabulary, words.merges)
    with pytest.raises(UserError, match="by KerasHub's rules"):
        hugging_face.write(made.student("roberta"), plain, tmp_path)
    assert not list(tmp_path.iterdir())


def test_padding_behind_which_no_position_begins(tmp_path):
    ids = {"<s>": 0, "<pad>": 3, "</s>": 2, "<mask>": 1, "a": 4, "aa": 5}
    words = of_family(keras_hub.models.RobertaTokenizer(ids, ["a a"]), {})
    with pytest.raises(UserError, match="padding is token 3: expected 1, be"):
        hugging_face.write(made.student("roberta"), words, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_head_of_no_task(make_backbone, tokenizer, tmp_path):
    model = teachers.build_masked_lm(make_backbone(num_layers=1))
    with pytest.raises(UserError, match="MaskedLM as a Hugging Face folder"):
        hugging_face.write(model, tokenizer, tmp_path)
    assert not list(tmp_path.iterdir())
