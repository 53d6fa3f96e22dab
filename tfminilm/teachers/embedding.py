"""Read how an encoder's states become the embedding of a text.

A folder of sentence-transformers says so in `modules.json` and the files that
it names, a preset of this package in `embedding.json`. What says nothing is
pooled as the mean over real tokens, as sentence-transformers would.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from tfminilm import files, json_files
from tfminilm.errors import UserError

POOLINGS = ("mean", "cls")
EMBEDDING = "embedding.json"
MODULES = "modules.json"

_ATTRIBUTE = "text_embedding"
_TRANSFORMER = "sentence_bert_config.json"
_PROMPTS = "config_sentence_transformers.json"
_TOKENIZER = "tokenizer_config.json"
# What older folders call the poolings that can be switched on.
_SWITCH = "pooling_mode_"
_SWITCHES = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
# `transformers` writes 1e30 where a tokenizer has no limit.
_NO_LIMIT = 1e6
_MODULES = [{"path": str, "type": str}]
_CHAIN = "expected a Transformer, a Pooling and perhaps a Normalize"
_AGAIN = "copy the folder again"


@dataclasses.dataclass(frozen=True)
class TextEmbedding:
    """Say how an encoder's last states become the embedding of a text.

    Attributes:
        pooling: "mean" over real tokens, or "cls", the first token's state.
        normalize: whether embeddings are scaled to length 1.
        max_length: the number of tokens at which a text is cut, its ends
            included; None if nothing but the position table limits it.
        prompts: texts to put in front of others, by what they are for, such
            as "query"; those without any letter are left out.
        default_prompt: the name of the one that every text gets for which no
            other is asked; empty if none.
    """

    pooling: str = "mean"
    normalize: bool = False
    max_length: int | None = None
    prompts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    default_prompt: str = ""

    @property
    def prompt(self) -> str:
        """Return what is put in front of every text, or nothing."""
        return self.prompts.get(self.default_prompt, "")


def embedding_of(model: keras.Model) -> TextEmbedding:
    """Return how a backbone embeds texts: as its folder said, or the mean."""
    return getattr(model, _ATTRIBUTE, None) or TextEmbedding()


def known_embedding(model: keras.Model) -> TextEmbedding | None:
    """Return how a backbone embeds texts; None if its folder did not say."""
    return getattr(model, _ATTRIBUTE, None)


def set_embedding(model: keras.Model, embedding: TextEmbedding | None) -> None:
    """Note how a backbone embeds texts, for what is made of it."""
    setattr(model, _ATTRIBUTE, embedding)


def write_embedding(folder: str | os.PathLike, model: keras.Model) -> None:
    """Write `embedding.json` beside a backbone's weights, if it is known."""
    embedding = known_embedding(model)
    if embedding is not None:
        content = dataclasses.asdict(embedding)
        files.write_json(pathlib.Path(folder, EMBEDDING), content)


def read_embedding(folder: str | os.PathLike) -> TextEmbedding | None:
    """Return what a model's folder says of its embeddings.

    Returns:
        `None` if it says nothing.

    Raises:
        UserError: embeddings are made in a way that is not known here, or a
            file is damaged.
    """
    path = pathlib.Path(folder)
    if (path / EMBEDDING).is_file():
        return _read_own(path / EMBEDDING)
    if (path / MODULES).is_file():
        return _read_modules(path)
    return None


def bring(name: str, folder: pathlib.Path) -> None:
    """Bring the files that `read_embedding` reads from a hub.

    Args:
        name: the model's, such as `hf://OWNER/NAME`.
        folder: where the hub puts its files.
    """
    from keras_hub.src.utils.preset_utils import check_file_exists

    for file in (EMBEDDING, _TRANSFORMER, _PROMPTS, _TOKENIZER):
        check_file_exists(name, file)
    if check_file_exists(name, MODULES):
        for module in json_files.read(folder / MODULES, _MODULES, _AGAIN):
            if module["type"].endswith(".Pooling"):
                check_file_exists(name, f"{module['path']}/config.json")


def _read_own(path: pathlib.Path) -> TextEmbedding:
    shape = {
        "pooling": str,
        "normalize": bool,
        "max_length": (int, None),
        "prompts?": {str: str},
        "default_prompt?": str,
    }
    embedding = TextEmbedding(**json_files.read(path, shape, _AGAIN))
    if embedding.pooling not in POOLINGS:
        raise UserError(
            f"{path}: pooling is {embedding.pooling!r}, expected "
            f"{' or '.join(POOLINGS)}; {_AGAIN}"
        )
    return embedding


def _read_modules(folder: pathlib.Path) -> TextEmbedding | None:
    path = folder / MODULES
    modules = json_files.read(path, _MODULES, _AGAIN)
    for module in modules:
        if not module["type"].startswith("sentence_transformers."):
            raise _refused(
                path,
                f"the type of a module is {module['type'][:80]!r}",
                "expected sentence-transformers' own, other code is never run",
            )
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    if kinds == ["Transformer"] and _model_type(folder) == "CrossEncoder":
        return None  # Scores two texts, and embeds none.
    chain = ["Transformer", "Pooling", "Normalize"]
    if kinds not in (chain, chain[:2]):
        raise _refused(
            path, f"the modules are {', '.join(kinds) or 'none'}", _CHAIN
        )
    if modules[0]["path"]:
        raise _refused(
            path,
            f"the Transformer is in the folder {modules[0]['path']!r}",
            "expected one beside modules.json, as sentence-transformers "
            "writes it today: load and save it there",
        )
    _require_plain_text(folder)
    prompts, default = _read_prompts(folder / _PROMPTS)
    return TextEmbedding(
        pooling=_read_pooling(folder, modules[1]["path"], bool(prompts)),
        normalize="Normalize" in kinds,
        max_length=read_length(folder),
        prompts=prompts,
        default_prompt=default,
    )


def _read_prompts(path: pathlib.Path) -> tuple[dict[str, str], str]:
    """Return prompts by their names, and the name of the default one.

    Raises:
        UserError: the file is damaged, or names a prompt that is not there.
    """
    shape = {
        "default_prompt_name?": (str, None),
        "prompts?": ({str: (str, None)}, None),
    }
    config = _read(path, shape)
    name, prompts = config.get("default_prompt_name"), config.get("prompts")
    prompts = prompts or {}
    if name is not None and name not in prompts:
        raise _refused(
            path,
            f"default_prompt_name is {name[:80]!r}",
            f"expected one of the prompts, {', '.join(prompts)}, or null",
        )
    texts = {key: text for key, text in prompts.items() if text}
    return texts, name if name and name in texts else ""


def _read_pooling(folder: pathlib.Path, name: str, has_prompts: bool) -> str:
    path = folder / name / "config.json"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{folder / MODULES}: the Pooling's path is {name!r}, expected "
            "a folder inside"
        )
    shape = {"pooling_mode?": (str, [str]), "include_prompt?": bool}
    config = json_files.read(path, shape, _AGAIN)
    if has_prompts and not config.get("include_prompt", True):
        raise _refused(
            path,
            "include_prompt is false",
            "expected true, as a prompt's tokens count in the mean here",
        )
    if "pooling_mode" in config:
        modes = config["pooling_mode"]
        poolings = [modes] if isinstance(modes, str) else modes
    else:
        poolings = [
            _SWITCHES.get(key.removeprefix(_SWITCH), key)
            for key, is_on in config.items()
            if key.startswith(_SWITCH) and is_on
        ] or ["mean"]
    if len(poolings) != 1 or poolings[0] not in POOLINGS:
        expected = f"expected {' or '.join(POOLINGS)} alone"
        raise _refused(path, f"the pooling is {poolings}", expected)
    return poolings[0]


def read_length(folder: pathlib.Path) -> int | None:
    """Return at how many tokens a folder of sentence-transformers cuts texts.

    Returns:
        The tokenizer's limit if nothing else is said; `None` without any.

    Raises:
        UserError: a file is damaged.
    """
    length = _length(folder / _TRANSFORMER, "max_seq_length")
    return length or read_tokens(folder)


def read_tokens(folder: pathlib.Path) -> int | None:
    """Return at how many tokens a folder's tokenizer cuts texts, if it does.

    Raises:
        UserError: its file is damaged.
    """
    return _length(folder / _TOKENIZER, "model_max_length")


def _length(path: pathlib.Path, key: str) -> int | None:
    length = _read(path, {f"{key}?": (float, None)}).get(key)
    if length is not None and 0 < length < _NO_LIMIT:
        return int(length)
    return None


def _require_plain_text(folder: pathlib.Path) -> None:
    """Refuse what changes texts or reads other outputs than the last states."""
    path = folder / _TRANSFORMER
    config = _read(
        path,
        {
            "do_lower_case?": (bool, None),
            "transformer_task?": str,
            "modality_config?": {"text?": {"method_output_name?": object}},
        },
    )
    tokenizer = _read(folder / _TOKENIZER, {"do_lower_case?": (bool, None)})
    if config.get("do_lower_case") and not tokenizer.get("do_lower_case"):
        raise _refused(path, "do_lower_case is true", "expected it false")
    task = config.get("transformer_task", "feature-extraction")
    if task != "feature-extraction":
        expected = "expected 'feature-extraction'"
        raise _refused(path, f"transformer_task is {task!r}", expected)
    text = config.get("modality_config", {}).get("text", {})
    states = text.get("method_output_name", "last_hidden_state")
    if states != "last_hidden_state":
        expected = "expected 'last_hidden_state'"
        raise _refused(path, f"method_output_name is {states!r}", expected)


def _model_type(folder: pathlib.Path) -> str:
    shape = {"model_type?": (str, None)}
    return _read(folder / _PROMPTS, shape).get("model_type") or ""


def _read(path: pathlib.Path, shape: Any) -> dict[str, Any]:
    return json_files.read(path, shape, _AGAIN) if path.is_file() else {}


def _refused(path: pathlib.Path, fault: str, expected: str) -> UserError:
    return UserError(
        f"{path}: {fault}, {expected}; or remove {MODULES}, to use the encoder "
        "with the mean of its states"
    )
