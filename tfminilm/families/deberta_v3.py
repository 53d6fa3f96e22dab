"""DeBERTa-v3: distances between tokens instead of places, in each layer."""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfminilm import files, json_files
from tfminilm.errors import UserError, in_one_line
from tfminilm.families import post_norm
from tfminilm.families.family import Exposure, Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names, settings

if TYPE_CHECKING:
    from tfminilm.typing import Tokenizer

# Files of its tokenizer.
_PIECES, _CONFIG = "spm.model", "tokenizer_config.json"
# What `transformers` takes for granted describes DeBERTa-v2, another model.
_DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-7,
    "hidden_dropout_prob": 0.1,
    "relative_attention": False,
    "share_att_key": False,
    "position_biased_input": True,
    "norm_rel_ebd": "none",
    "pos_att_type": None,
}
# Of all models of the third version: distances count in each layer, through
# the tokens' own projections, and places do not.
_WRITTEN = {
    "relative_attention": True,
    "share_att_key": True,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "pos_att_type": ["p2c", "c2p"],
    "max_relative_positions": -1,
    "type_vocab_size": 0,
    "pooler_hidden_act": "gelu",
}


def _require(path: pathlib.Path, config: Mapping[str, Any]) -> None:
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


def _suits(sizes: Mapping[str, Any]) -> bool:
    """Tell whether KerasHub's class sorts distances as DeBERTa does."""
    from tfminilm.layers.disentangled import is_exact

    return is_exact(sizes["bucket_size"], sizes["max_sequence_length"])


def _read_tokenizer(folder: pathlib.Path) -> "Tokenizer":
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


def _exposure() -> Exposure:
    from tfminilm.layers.disentangled import (
        DisentangledParts,
        ExposedDisentangled,
    )
    from tfminilm.private.encoders import disentangled_encoder

    return Exposure(
        disentangled_encoder(), ExposedDisentangled, DisentangledParts
    )


NAMES = names.Names(
    prefix="deberta.",
    sizes=names.SIZES | {"bucket_size": "position_buckets"},
    defaults=_DEFAULTS,
    layer=(
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
        *names.LAYER[3:],
    ),
    masked_lm=(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions",
    ),
    new_masked_lm=(
        "lm_predictions.lm_head.dense",
        "lm_predictions.lm_head.LayerNorm",
        "lm_predictions.lm_head",
    ),
    decoder="cls.predictions.decoder",
    is_masked_lm=r"(cls|lm)[._]predictions\.",
    # Its generator's and its discriminator's heads come with the published
    # one, and a table of places that nothing reads.
    is_other=r"((cls\.|lm_|mask_)predictions|pooler)\.|"
    rf"(deberta\.)?embeddings\.position_embeddings\.|{names.OTHER}",
    written=_WRITTEN,
    require=_require,
    suits=_suits,
)
FAMILY = Family(
    name="deberta_v3",
    title="DeBERTa-v3",
    backbone="DebertaV3Backbone",
    tokens=Tokens("DebertaV3Tokenizer", 128_100, read=_read_tokenizer),
    hugging_face=HuggingFace(
        "deberta-v2",
        "DebertaV2",
        names=NAMES,
        reader=post_norm.reader,
        contents=post_norm.contents,
        classifier={"pooled_dense": "pooler.dense", "logits": "classifier"},
        classifier_activation="gelu",
        # KerasHub's has the backbone's rate behind its dense layer.
        classifier_dropout=("pooler_dropout",),
    ),
    exposure=_exposure,
    computes_with=("gelu", 1e-7),
    mobile_graph="disentangled",
)
