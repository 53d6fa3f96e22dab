"""Bad folders of models: Hugging Face's, KerasHub's and those of runs."""

import functools
import json
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from bad_input_damages import JSON, ODD, TEXT, Spoil, Spoiled, content

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
_FAMILIES = ("bert", "distil_bert", "albert", "xlm_roberta", "mobilebert_tiny")
_WEIGHTS: dict[str, Spoil] = {
    "empty": content(b""),
    "text": content(b"no weights at all"),
    "zeros": content(b"\0" * 4096),
    "huge-header": content(b"\xff" * 8 + b"{}"),
    "cut-header": content((90).to_bytes(8, "little") + b'{"a": {"dty'),
    "deep-header": content((9_000).to_bytes(8, "little") + b"[" * 9_000),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-99]),  # type: ignore
    "half": lambda path: path.write_bytes(  # type: ignore
        path.read_bytes()[: path.stat().st_size // 2]
    ),
    "no-tensor": content((2).to_bytes(8, "little") + b"{}"),
}
_SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
)
_VALUES: dict[str, object] = {
    "text": "12",
    "null": None,
    "zero": 0,
    "negative": -4,
    "real": 1.5,
    "true": True,
    "list": [4],
    "object": {},
}


def _hugging_face(family: str, file: str, spoil: Spoil) -> Spoil:
    def prepare(folder: pathlib.Path) -> None:
        shutil.copytree(_GOLDEN / family, folder / "model")
        spoil(folder / "model" / file)

    return prepare


def _changed(**values: object) -> Spoil:
    def spoil(path: pathlib.Path) -> None:
        settings = json.loads(path.read_text()) | values
        path.write_text(json.dumps(settings))

    return spoil


_DESCRIBE = ("describe", "--model={}/model")


def hugging_face() -> Iterator[Spoiled]:
    """A Hugging Face folder of which a file is spoiled."""
    kind = "Hugging Face folders"
    for family in _FAMILIES:
        # Whatever the family, JSON is read by one reader.
        spoils = JSON | ODD if family == "bert" else dict([*JSON.items()][::4])
        for name, spoil in spoils.items():
            yield Spoiled(
                kind, f"{family}-config-{name}", ("model",), _DESCRIBE,
                _hugging_face(family, "config.json", spoil),
            )  # fmt: skip
        weights = "model.safetensors"
        for name, spoil in (_WEIGHTS | ODD).items():
            if family != "bert" and name in ODD:
                continue
            yield Spoiled(
                kind, f"{family}-weights-{name}", ("model",), _DESCRIBE,
                _hugging_face(family, weights, spoil),
            )  # fmt: skip
    for size in _SIZES:
        for name, value in _VALUES.items():
            yield Spoiled(
                kind, f"{size}-{name}", ("config.json", size), _DESCRIBE,
                _hugging_face("bert", "config.json", _changed(**{size: value})),
            )  # fmt: skip
    for name, values in {
        "model_type-unknown": {"model_type": "gpt2"},
        "model_type-number": {"model_type": 3},
        "model_type-list": {"model_type": ["bert"]},
        "hidden_act-unknown": {"hidden_act": "snake"},
        "hidden_act-number": {"hidden_act": 1},
        "layer_norm_eps-text": {"layer_norm_eps": "small"},
        "layer_norm_eps-negative": {"layer_norm_eps": -1},
        "hidden_dropout_prob-two": {"hidden_dropout_prob": 2},
        "num_attention_heads-odd": {"num_attention_heads": 7},
    }.items():
        yield Spoiled(
            kind, name, (name.partition("-")[0],), _DESCRIBE,
            _hugging_face("bert", "config.json", _changed(**values)),
        )  # fmt: skip


@functools.cache
def _saved() -> pathlib.Path:
    """A student's folder, as a run saves it."""
    from tfminilm.students import bert
    from tfminilm.teachers import load_tokenizer

    folder = pathlib.Path(tempfile.mkdtemp(prefix="tfminilm-bad-input-"))
    tokenizer = load_tokenizer("tiny:bert")
    bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=tokenizer.vocabulary_size(), max_sequence_length=16,
    ).save_to_preset(str(folder / "student"))  # fmt: skip
    tokenizer.save_to_preset(str(folder / "student"))
    return folder / "student"


_VOCABULARY = "assets/tokenizer/vocabulary.txt"
_ENGINE = "assets/tokenizer/hugging_face.json"


def presets() -> Iterator[Spoiled]:
    """A student's folder of which a file is spoiled."""

    def case(call: str, file: str, name: str, spoil: Spoil) -> Spoiled:
        def prepare(folder: pathlib.Path) -> None:
            shutil.copytree(_saved(), folder / "model")
            spoil(folder / "model" / file)

        def read(folder: pathlib.Path) -> object:
            from tfminilm import teachers

            return getattr(teachers, f"load_{call}")(folder / "model")

        return Spoiled(
            "students' folders", f"{call}-{pathlib.Path(file).name}-{name}",
            ("model",), prepare=prepare, call=read,
        )  # fmt: skip

    for name, spoil in (JSON | ODD).items():
        yield case("backbone", "config.json", name, spoil)
        if name not in ("gone", "dangling-link"):
            yield case("tokenizer", "tokenizer.json", name, spoil)
    for name, spoil in (_WEIGHTS | ODD).items():
        yield case("backbone", "model.weights.h5", name, spoil)
    for name, spoil in (TEXT | ODD).items():
        yield case("tokenizer", _VOCABULARY, name, spoil)
    for name, spoil in (JSON | ODD).items():
        if name not in ("gone", "dangling-link", "link-to-itself", "folder"):
            yield case("tokenizer", _ENGINE, name, spoil)


def settings_of_tasks() -> Iterator[Spoiled]:
    """How a fine-tuned model reads a task, spoiled."""
    good = {
        "task": "sst2", "kind": "classification",
        "labels": ["negative", "positive"], "max_length": 16,
    }  # fmt: skip

    def case(name: str, spoil: Spoil) -> Spoiled:
        def read(folder: pathlib.Path) -> object:
            from tfminilm.tasks.settings import Settings

            return Settings.load(folder)

        def prepare(folder: pathlib.Path) -> None:
            (folder / "tfminilm.json").write_text(json.dumps(good))
            spoil(folder / "tfminilm.json")

        return Spoiled(
            "settings of tasks", name, ("tfminilm.json",),
            prepare=prepare, call=read,
        )  # fmt: skip

    for name, spoil in (JSON | ODD).items():
        yield case(name, spoil)
    for key in good:
        for other, value in (
            ("null", None),
            ("number", 2.5),
            ("true", True),
            ("list-of-numbers", [1]),
        ):
            yield case(f"{key}-{other}", _changed(**{key: value}))


_TOKENIZERS = {
    "no-vocab": {"model": {"type": "WordPiece"}, "added_tokens": []},
    "vocab-list": {
        "model": {"type": "WordPiece", "vocab": ["a"]},
        "added_tokens": [],
    },
    "vocab-text": {
        "model": {"type": "WordPiece", "vocab": {"a": "1"}},
        "added_tokens": [],
    },
    "no-added": {"model": {"type": "WordPiece", "vocab": {}}},
    "added-text": {
        "model": {"type": "WordPiece", "vocab": {}},
        "added_tokens": ["a"],
    },
    "model-text": {"model": "WordPiece"},
    "model-unknown": {"model": {"type": "Words"}},
}


def pieces() -> Iterator[Spoiled]:
    """A tokenizer of a Hugging Face folder that is spoiled."""

    def case(family: str, file: str, name: str, spoil: Spoil) -> Spoiled:
        def prepare(folder: pathlib.Path) -> None:
            shutil.copytree(_GOLDEN / family, folder / "model")
            words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
            path = folder / "model" / file
            if family == "bert":
                (folder / "model" / "vocab.txt").write_text("\n".join(words))
            spoil(path)

        def read(folder: pathlib.Path) -> object:
            from tfminilm.teachers import load_tokenizer

            return load_tokenizer(folder / "model")

        return Spoiled(
            "tokenizers' files", f"{file}-{name}", ("model",),
            prepare=prepare, call=read,
        )  # fmt: skip

    for name, spoil in (TEXT | ODD).items():
        if name != "binary":  # Words of an odd model.
            yield case("bert", "vocab.txt", name, spoil)
        yield case(
            "xlm_roberta", "sentencepiece.bpe.model", name, spoil
        )  # fmt: skip
    for file in ("tokenizer_config.json", "tokenizer.json"):
        for name, spoil in (JSON | ODD).items():
            if name in ("gone", "dangling-link", "link-to-itself", "folder"):
                continue  # As if there were none.
            yield case("bert", file, name, spoil)
    for key in ("do_lower_case", "tokenize_chinese_chars", "strip_accents"):
        for name, value in (("text", "yes"), ("number", 1), ("list", [])):
            text = json.dumps({key: value}).encode()
            yield case(
                "bert", "tokenizer_config.json", f"{key}-{name}", content(text)
            )
    for name, text in _TOKENIZERS.items():
        yield case(
            "bert", "tokenizer.json", name, content(json.dumps(text).encode())
        )


CASES = (*hugging_face(), *presets(), *settings_of_tasks(), *pieces())
