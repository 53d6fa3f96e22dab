"""Read and write what is DeBERTa-v3's own in a Hugging Face folder."""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfminilm import files, json_files
from tfminilm.errors import UserError, in_one_line
from tfminilm.families import post_norm
from tfminilm.families.hugging_face import names, settings

if TYPE_CHECKING:
    import keras

    from tfminilm.typing import Tokenizer

# Files of its tokenizer.
_PIECES, _CONFIG = "spm.model", "tokenizer_config.json"


def require(path: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Refuse a DeBERTa that is built otherwise, such as most of version 2.

    Raises:
        UserError: names the first setting that tells.
    """
    width, heads, places, buckets = (
        settings.count(path, config, name)
        for name in (
            "hidden_size",
            "num_attention_heads",
            "max_position_embeddings",
            "position_buckets",
        )
    )
    expected: dict[str, tuple[Any, ...]] = {
        "relative_attention": (True,),
        "share_att_key": (True,),
        "position_biased_input": (False,),
        "norm_rel_ebd": ("layer_norm",),
        "pos_att_type": ("c2p|p2c",),
        "max_relative_positions": (None, -1, 0, places),
        "type_vocab_size": (None, 0),
        "conv_kernel_size": (None, 0),
        "embedding_size": (None, width),
        "attention_head_size": (None, width // heads),
    }
    if "SequenceClassification" in str(config.get("architectures")):
        expected |= {
            "pooler_hidden_act": (None, "gelu"),
            "pooler_hidden_size": (None, width),
        }
    for name, values in expected.items():
        value = config.get(name)
        if _normal(value) not in values:
            raise UserError(
                f"{path}: {name} is {value!r}, expected "
                f"{' or '.join(str(x) for x in values if x is not None)}: of "
                "the kind that transformers calls deberta-v2, models built as "
                "DeBERTa-v3 alone are read"
            )
    if not 2 <= buckets < 2 * (places - 1):
        raise UserError(
            f"{path}: position_buckets is {buckets}, expected 2 to "
            f"{2 * places - 3}, since max_position_embeddings is {places}"
        )


def _normal(value: Any) -> Any:
    """Return a list of words, or words between bars, in one spelling."""
    words = value.split("|") if isinstance(value, str) else value
    if isinstance(words, list) and all(isinstance(x, str) for x in words):
        return "|".join(sorted(word.strip().lower() for word in words))
    return value


def read_tokenizer(folder: pathlib.Path) -> "Tokenizer":
    """Make the tokenizer of a Hugging Face folder, with KerasHub's rules.

    Raises:
        UserError: the folder has no vocabulary; or has no `tokenizer.json`,
            and rules that its SentencePiece model does not have.
    """
    import keras_hub

    from tfminilm.tokenizer import from_rules

    cls = keras_hub.models.DebertaV3Tokenizer
    if (made := from_rules.make(cls, folder)) is not None:
        return made
    path = folder / _PIECES
    if not path.is_file():
        raise UserError(
            f"{folder} has no tokenizer of a DeBERTa-v3: expected a "
            f"tokenizer.json with unigrams, or {_PIECES}"
        )
    config = folder / _CONFIG
    content = json_files.read(config, dict) if config.is_file() else {}
    for name in ("do_lower_case", "split_by_punct"):
        if content.get(name):
            raise UserError(
                f"{config}: {name} is {content[name]!r}, expected false where "
                f"{_PIECES} stands alone, whose rules know nothing of it; put "
                "a tokenizer.json beside it"
            )
    try:
        return cls(proto=files.read_bytes(path))
    except UserError:
        raise
    except Exception as error:  # KerasHub and SentencePiece have many kinds.
        raise UserError(
            f"cannot load a tokenizer from {path}: {type(error).__name__}: "
            f"{in_one_line(error)}; copy the model's folder again"
        ) from error


def contents(
    names: names.Names, backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules.

    Raises:
        UserError: KerasHub sorts distances of the model's sizes otherwise
            than `transformers` does.
    """
    from tfminilm.layers import disentangled

    if not all(map(disentangled.sorts_exactly, backbone.transformer_layers)):
        raise UserError(
            f"cannot write a {type(backbone).__name__} with bucket_size="
            f"{backbone.bucket_size} and max_sequence_length="
            f"{backbone.max_sequence_length} as a Hugging Face folder: "
            "KerasHub's class sorts its farthest distances otherwise than "
            "transformers; expected a model that students.deberta_v3 builds, "
            "or other sizes, such as 256 and 512"
        )
    return post_norm.contents(names, backbone)
