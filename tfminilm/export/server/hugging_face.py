"""A Hugging Face folder: BERT and MobileBERT as `transformers` reads them."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import keras_hub
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.graph import weights
from tfminilm.families.hugging_face import names as families
from tfminilm.families.hugging_face.checkpoint import pytorch_name
from tfminilm.families.hugging_face.settings import (
    ACTIVATIONS,
    huggingface_activation,
)
from tfminilm.families.mobilebert import hugging_face as mobilebert
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder
from tfminilm.tokenizer import BERT, rules_of


def write(
    model: keras.Model,
    tokenizer: Any,
    folder: pathlib.Path,
    labels: Sequence[str] = (),
) -> None:
    """Writes `config.json`, `model.safetensors` and the tokenizer's files.

    Args:
        model: a BERT of KerasHub, a MobileBERT, or one of them with a head of
            `tasks.heads.build_head`.
        tokenizer: its WordPiece tokenizer.
        folder: where to.
        labels: the names of a classifier's classes.

    Raises:
        UserError: `transformers` has no such model, or it comes with another
            tokenizer.
    """
    from safetensors.numpy import save

    backbone = getattr(model, "backbone", model)
    if not isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        raise UserError(
            f"cannot write a {type(tokenizer).__name__} as a Hugging Face "
            "folder: expected a WordPiece tokenizer, such as BERT's"
        )
    if rules_of(tokenizer) != BERT:
        raise UserError(
            f"the tokenizer cuts texts by the rules {rules_of(tokenizer)!r}, "
            "which transformers' BertTokenizer does not have: expected one "
            "with BERT's, as tokenizer.hugging_face.with_bert_rules makes it"
        )
    family, settings, modules = _encoder(backbone)
    kind = "Model"
    if model is not backbone:
        # Where there is a head, the encoder is a part of the model.
        modules = {f"{family.lower()}.{k}": v for k, v in modules.items()}
        kind, own = _head(model, labels)
        settings |= own
        modules |= _head_modules(model, family)
    settings |= {
        "model_type": family.lower(),
        "architectures": [family + kind],
        "pad_token_id": int(tokenizer.pad_token_id),
        "dtype": "float32",
    }
    arrays = {
        name: value
        for module, layer in modules.items()
        for name, value in _arrays(module, layer)
    }
    if family == "MobileBert":
        # There, the last word's neighbour is the padding: here it is nothing.
        name = next(name for name in arrays if "word_embeddings" in name)
        arrays[name][tokenizer.pad_token_id] = 0
    content = save(arrays, {"format": "pt"})
    files.write_bytes(folder / "model.safetensors", content)
    files.write_json(folder / "config.json", settings)
    _write_tokenizer(tokenizer, backbone.max_sequence_length, folder)


class Runner:
    """Runs an encoder that `teachers.load_backbone` read from the folder."""

    def __init__(self, encoder: keras.Model):
        self._encoder = encoder

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The encoder's outputs by name, for int32 `[batch, length]` inputs."""
        outputs = self._encoder(batch, training=False)
        return {
            name: keras.ops.convert_to_numpy(value)
            for name, value in outputs.items()
        }


def _bert_modules(backbone: Any) -> dict[str, Any]:
    """The layers that have variables, by the name of PyTorch's module."""
    found = families.modules(families.FAMILIES["bert"], backbone)
    return {**dict(found), "pooler.dense": backbone.pooled_dense}


def _encoder(backbone: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Its family, its settings, and its layers by PyTorch's modules."""
    name = type(backbone).__name__
    if name == "BertBackbone":
        return "Bert", _bert_settings(backbone), _bert_modules(backbone)
    if name == "MobileBertBackbone":
        settings = mobilebert.settings_of(backbone)
        return "MobileBert", settings, dict(mobilebert.modules_of(backbone))
    raise UserError(
        f"cannot write a {name} as a Hugging Face folder: expected a "
        "BertBackbone or a MobileBertBackbone"
    )


def _bert_settings(backbone: Any) -> dict[str, Any]:
    """All of a KerasHub BERT's, with what its layers compute.

    Raises:
        UserError: they compute with several activations or epsilons, where
            `transformers` has one of each; or with one that it has not.
    """
    layers = backbone.transformer_layers
    norms = [backbone.embeddings_layer_norm]
    for layer in layers:
        norms += [encoder_parts(layer).attention_norm]
        norms += [encoder_parts(layer).feedforward_norm]
    activations = {
        weights.activation_name(
            encoder_parts(layer).intermediate.activation,
            tuple(dict.fromkeys(ACTIVATIONS.values())),
        )
        for layer in layers
    }
    return {
        "vocab_size": backbone.vocabulary_size,
        "hidden_size": backbone.hidden_dim,
        "num_hidden_layers": backbone.num_layers,
        "num_attention_heads": backbone.num_heads,
        "intermediate_size": backbone.intermediate_dim,
        "hidden_act": huggingface_activation(
            _only(activations, "an activation")
        ),
        "hidden_dropout_prob": backbone.dropout,
        "attention_probs_dropout_prob": backbone.dropout,
        "max_position_embeddings": backbone.max_sequence_length,
        "type_vocab_size": backbone.num_segments,
        "layer_norm_eps": _only({norm.epsilon for norm in norms}, "an epsilon"),
    }


def _only(found: set[Any], what: str) -> Any:
    if len(found) > 1:
        raise UserError(
            "cannot write a Hugging Face folder: it has room for one of "
            f"{what}, and the layers have {', '.join(map(str, sorted(found)))}"
        )
    return found.pop()


def _head(model: Any, labels: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """What `transformers` calls a model with this head, and its settings."""
    if isinstance(model, SpanFinder):
        return "ForQuestionAnswering", {}
    names = labels or [f"LABEL_{i}" for i in range(model.num_classes)]
    settings: dict[str, Any] = {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
    if model.num_classes == 1:
        settings["problem_type"] = "regression"
    if isinstance(model, FirstTokenClassifier):
        settings["classifier_activation"] = True  # The pooler is tanh.
    return "ForSequenceClassification", settings


def _head_modules(model: Any, family: str) -> dict[str, Any]:
    if isinstance(model, SpanFinder):
        return {"qa_outputs": model.get_layer("span_logits")}
    modules = {"classifier": model.get_layer("logits")}
    if isinstance(model, FirstTokenClassifier):
        pooler = f"{family.lower()}.pooler.dense"
        modules[pooler] = model.get_layer("pooled_dense")
    return modules


def _arrays(module: str, layer: Any) -> Iterator[tuple[str, np.ndarray]]:
    """A layer's weights as PyTorch has them, by name."""
    for variable in layer.weights:
        value = weights.array(variable)
        name = pytorch_name(module, variable.name)
        if variable.name == "kernel":  # [inputs, units], or heads in between.
            value = value.reshape(-1, int(np.prod(layer.bias.shape))).T
        elif variable.name == "bias":
            value = value.reshape(-1)
        yield name, np.array(value, order="C")


def _write_tokenizer(tokenizer: Any, length: int, folder: pathlib.Path) -> None:
    """Writes what `AutoTokenizer` reads, to cut texts as `tokenizer` does."""
    words = list(tokenizer.get_vocabulary())
    files.write_text(folder / "vocab.txt", "\n".join(words) + "\n")
    files.write_text(folder / "tokenizer.json", _engine(tokenizer).to_str())
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        "tokenize_chinese_chars": True,
        # "[SEP]" in a text is text.
        "split_special_tokens": True,
        "model_max_length": length,
        "unk_token": tokenizer.oov_token,
    }
    for name in ("cls", "sep", "pad", "mask"):
        settings[f"{name}_token"] = getattr(tokenizer, f"{name}_token")
    files.write_json(folder / "tokenizer_config.json", settings)


def _engine(tokenizer: Any) -> Any:
    """A tokenizer's rules with `[CLS]` and `[SEP]` around its texts."""
    import tokenizers

    engine = tokenizers.Tokenizer.from_str(tokenizer.engine.to_str())
    ends = {"cls": tokenizer.cls_token, "sep": tokenizer.sep_token}
    engine.post_processor = tokenizers.processors.TemplateProcessing(
        single="{cls} $A {sep}".format(**ends),
        pair="{cls} $A {sep} $B:1 {sep}:1".format(**ends),
        special_tokens=[
            (token, tokenizer.token_to_id(token)) for token in ends.values()
        ],
    )
    return engine
