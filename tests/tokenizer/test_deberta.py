"""DeBERTa-v3's tokenizer: from a SentencePiece model, or tokenizer.json alone.

The golden's ids are of `transformers` 4.57, which cuts texts as the model was
trained, and of 5.24, which folds other forms of characters.
"""

import json
import pathlib
import shutil
import types

import keras
import keras_hub
import numpy as np
import pytest
import sentencepiece

from tfminilm import UserError
from tfminilm.compress.vocabulary import trim_vocabulary, used_ids
from tfminilm.export.bundle import vocabulary
from tfminilm.tasks import encode
from tfminilm.tasks.spans import span_tokenizer
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import engines, rules_of

FOLDER = pathlib.Path(__file__).parents[1] / "golden/token_ids/deberta_v3"
# The slow tokenizer of `transformers` 4 makes tokens of their names in a text.
NAMES = 11


def wanted(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.fixture
def folder(tmp_path):
    """A function that copies some files of the golden's folder."""

    def copy(**files):
        path = tmp_path / "folder"
        path.mkdir(exist_ok=True)
        shutil.copy(FOLDER / "config.json", path)
        (path / "model.safetensors").touch()
        for name, source in files.items():
            shutil.copy(FOLDER / source, path / name.replace("__", "."))
        return path

    return copy


@pytest.mark.parametrize("version", [4, 5])
def test_tokenizer_json_alone(version, folder, ids_of, lines):
    path = folder(tokenizer__json=f"tokenizer_{version}.json")
    tokenizer = load_tokenizer(path)
    assert rules_of(tokenizer) == "hugging_face"
    ids = ids_of(tokenizer, lines)
    assert ids == wanted(f"ids_{version}")
    # The two cut many lines apart.
    others = wanted(f"ids_{9 - version}")
    assert sum(a != b for a, b in zip(ids, others, strict=True)) > 5
    special = (tokenizer.pad_token_id, *encode.special_ids(tokenizer)[:2])
    assert special == (0, 1, 2)
    assert tokenizer.mask_token_id == tokenizer.vocabulary_size() - 1


def test_sentencepiece_alone(folder, ids_of, lines):
    path = folder(
        spm__model="spm.model", tokenizer_config__json="tokenizer_config.json"
    )
    tokenizer = load_tokenizer(path)
    assert rules_of(tokenizer) == "keras_hub"
    ids = ids_of(tokenizer, lines)
    proto = (FOLDER / "spm.model").read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    right = [processor.encode(line) for line in lines]
    assert [i for i, x in enumerate(wanted("slow")) if x != right[i]] == [NAMES]
    # TensorFlow's SentencePiece puts equal pieces in another order.
    differ = [i for i, x in enumerate(right) if x != ids[i]]
    assert set(differ) <= {12, 18}
    assert [*map(sorted, ids)] == [*map(sorted, right)]
    for setting in ("do_lower_case", "split_by_punct"):
        (path / "tokenizer_config.json").write_text(json.dumps({setting: True}))
        with pytest.raises(UserError, match=f"{setting} is True, expected fa"):
            load_tokenizer(path)


def test_both_files(folder, ids_of, lines):
    path = folder(spm__model="spm.model", tokenizer__json="tokenizer_4.json")
    assert ids_of(load_tokenizer(path), lines) == wanted("ids_4")
    content = wanted("tokenizer_4")
    first, second = content["model"]["vocab"][10:12]
    content["model"]["vocab"][10:12] = [second, first]
    (path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="expected the files of one model"):
        load_tokenizer(path)


def test_no_file(folder):
    with pytest.raises(UserError, match=r"expected a tokenizer\.json with un"):
        load_tokenizer(folder())
    path = folder(spm__model="config.json")
    with pytest.raises(UserError, match="copy the model's folder again"):
        load_tokenizer(path)


def test_a_preset_keeps_the_rules(folder, tmp_path, ids_of, lines):
    path = folder(tokenizer__json="tokenizer_5.json")
    tokenizer = load_tokenizer(path)
    preset = tmp_path / "preset"
    sizes = dict.fromkeys(["num_layers", "num_heads"], 1)
    keras_hub.models.DebertaV3Backbone(
        tokenizer.vocabulary_size(), hidden_dim=2, intermediate_dim=2,
        bucket_size=4, max_sequence_length=8, **sizes,
    ).save_to_preset(preset)  # fmt: skip
    tokenizer.save_to_preset(str(preset))
    again = load_tokenizer(preset)
    assert ids_of(again, lines) == wanted("ids_5")


def test_places_in_the_text(folder):
    texts = ["Straße, ½ x", "a  b"]
    path = folder(tokenizer__json="tokenizer_4.json")
    tokenizer = load_tokenizer(path)
    for text, encoded in zip(
        texts, span_tokenizer(tokenizer)(texts), strict=True
    ):
        assert encoded.ids.tolist() == tokenizer(text).tolist()
        start, end = encoded.spans[-1]
        assert text[start:end].strip() == text[-1]


def test_an_engine_with_the_rules_of_sentencepiece(ids_of, lines):
    proto = (FOLDER / "spm.model").read_bytes()
    engine = engines.deberta(proto)
    assert engine.token_to_id("[MASK]") == engine.get_vocab_size() - 1
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    found = [engine.encode(x, add_special_tokens=False).ids for x in lines]
    right = [processor.encode(line) for line in lines]
    differ = [i for i, x in enumerate(right) if x != found[i]]
    # `tokenizers` folds clusters of characters as one, and breaks ties
    # between equal pieces otherwise.
    assert set(differ) <= {1, 3, 5, 12}
    assert np.concatenate(found).max() < engine.get_vocab_size() - 1


@pytest.mark.parametrize("source", ["spm.model", "tokenizer_5.json"])
def test_a_trimmed_vocabulary(source, folder, ids_of, lines):
    """The mask, which is no piece of the model, stays the last token."""
    name = source.replace("tokenizer_5", "tokenizer").replace(".", "__")
    tokenizer = load_tokenizer(folder(**{name: source}))
    rows = tokenizer.vocabulary_size() + 7
    sizes = dict.fromkeys(["num_layers", "num_heads"], 1)
    model = keras_hub.models.DebertaV3Backbone(
        rows, hidden_dim=2, intermediate_dim=2, bucket_size=4,
        max_sequence_length=64, **sizes,
    )  # fmt: skip
    text = lines[0]
    used = used_ids(tokenizer, [text])
    smaller, trimmed = trim_vocabulary(model, tokenizer, used)
    assert smaller.vocabulary_size == trimmed.vocabulary_size() < rows - 7
    assert trimmed.mask_token_id == trimmed.vocabulary_size() - 1
    (old,), (new,) = ids_of(tokenizer, [text]), ids_of(trimmed, [text])
    tables = [one.token_embedding.embeddings for one in (model, smaller)]
    tables = [keras.ops.convert_to_numpy(x) for x in tables]
    np.testing.assert_array_equal(tables[0][old], tables[1][new])
    np.testing.assert_array_equal(
        tables[0][tokenizer.mask_token_id], tables[1][-1]
    )


@pytest.mark.parametrize("version", [4, 5])
def test_a_bundle_of_the_pieces_in_a_tokenizer_json(
    version, folder, ids_of, tmp_path
):
    path = folder(tokenizer__json=f"tokenizer_{version}.json")
    exact = load_tokenizer(path)
    model = types.SimpleNamespace(vocabulary_size=exact.vocabulary_size())
    with pytest.raises(UserError, match="rules='keras_hub'"):
        vocabulary.write(exact, model, tmp_path)
    pieces = load_tokenizer(path, rules="keras_hub")
    settings = vocabulary.write(pieces, model, tmp_path)
    again = vocabulary.read(
        tmp_path / settings.vocabulary, settings, model.vocabulary_size
    )
    plain = ["The cat sat on the mat, and slept.", "Ein Hund läuft schnell!"]
    assert ids_of(again, plain) == ids_of(exact, plain)
    assert ids_of(again, ["two  spaces"]) == ids_of(pieces, ["two  spaces"])
