"""Write a folder that `transformers` reads."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import keras_hub
import numpy as np

from tfminilm import families, files
from tfminilm.errors import UserError
from tfminilm.export.graph import weights
from tfminilm.export.server import (
    auto_tokenizer,
    masked_words,
    sentence_transformers,
)
from tfminilm.families.family import Family, HuggingFace
from tfminilm.families.hugging_face.checkpoint import num_units, pytorch_name
from tfminilm.tasks.head_models import (
    FirstTokenClassifier,
    gives_several_labels,
)
from tfminilm.tasks.kinds import kind_of_head
from tfminilm.teachers import cross_encoders
from tfminilm.typing import Tokenizer

WEIGHTS = "model.safetensors"
_CLASSIFIER = "ForSequenceClassification"
# The backbone's own, in front of its pooled output: ALBERT's is shorter.
_POOLERS = "pooler.dense", "pooler"


def write(
    model: keras.Model,
    tokenizer: Tokenizer,
    folder: pathlib.Path,
    labels: Sequence[str] = (),
    score_activation: str = "",
    with_weights: bool = True,
) -> None:
    """Write `config.json`, `model.safetensors` and the tokenizer's files.

    An encoder without a head also gets the files of sentence-transformers.

    Args:
        model: a backbone whose family has `HuggingFace.contents`, or one with
            a head of `tasks.heads.build_head` or for masked words.
        tokenizer: its own, of the kind that its family has.
        folder: where to.
        labels: the names of a classifier's classes.
        score_activation: what makes a score of a cross-encoder's logit; empty
            for other models.
        with_weights: whether `model.safetensors` is written, too.

    Raises:
        UserError: `transformers` has no such model, or it comes with another
            tokenizer.
    """
    backbone = getattr(model, "backbone", model)
    family, kept, settings, modules = _contents(backbone)
    auto_tokenizer.require_writable(tokenizer, family)
    pad = int(tokenizer.pad_token_id)
    if settings.get("pad_token_id", pad) != pad:
        raise UserError(
            f"the tokenizer's padding is token {pad}: expected "
            f"{settings['pad_token_id']}, behind which the positions of a "
            f"{type(backbone).__name__} begin in its Hugging Face folder"
        )
    suffix = "Model"
    if masked_words.is_masked_lm(model):
        suffix, layers = masked_words.head(family, model)
        modules = _below_head(kept, modules) | layers
    elif model is not backbone:
        suffix = _suffix(model)
        head_settings, head_modules = _HEADS[suffix](model, labels, kept)
        settings |= head_settings
        pools = suffix == _CLASSIFIER and family.classifier_pools
        modules = _below_head(kept, modules, pools) | head_modules
    if score_activation:
        function = cross_encoders.torch_name(score_activation)
        settings[cross_encoders.SETTING] = {cross_encoders.FUNCTION: function}
    # With the tokens of a relative it is the relative.
    written = families.relative(family, tokenizer) or kept
    settings |= {
        "model_type": written.model_type,
        "architectures": [written.class_name + suffix],
        "pad_token_id": pad,
        "dtype": "float32",
    }
    if with_weights:
        settings |= _write_weights(folder, modules, kept, pad)
    files.write_json(folder / "config.json", settings)
    auto_tokenizer.write(tokenizer, backbone, folder)
    if model is backbone:
        sentence_transformers.write(backbone, folder)


def _write_weights(
    folder: pathlib.Path,
    modules: Mapping[str, Any],
    kept: HuggingFace,
    pad: int,
) -> dict[str, Any]:
    """Write layers by PyTorch's names, and return what settings they ask for.

    `pad` is the padding's row of the token table.
    """
    from safetensors.numpy import save

    arrays = {
        name: value
        for module, layer in modules.items()
        for name, value in _arrays(module, layer)
    }
    settings = {}
    if kept.has_zero_padding and _clear_padding(arrays, pad, kept.decoder):
        settings["tie_word_embeddings"] = False
    files.write_bytes(folder / WEIGHTS, save(arrays, {"format": "pt"}))
    return settings


def _clear_padding(
    arrays: dict[str, np.ndarray], pad: int, decoder: str
) -> bool:
    """Set the padding's row of the token table to zero.

    Args:
        arrays: the folder's, changed here.
        pad: the row.
        decoder: where logits for masked words have a table of their own.

    Returns:
        Whether they got one there, since that row makes a logit.
    """
    name = next(name for name in arrays if "word_embeddings" in name)
    table, bias = arrays[name], f"{decoder.rpartition('.')[0]}.bias"
    has_logit = bias in arrays and bool(np.any(table[pad]))
    if has_logit:
        arrays[f"{decoder}.weight"] = table.copy()
        arrays[f"{decoder}.bias"] = arrays[bias]
    table[pad] = 0
    return has_logit


class Runner:
    """Runs a model that was read back from the folder."""

    def __init__(self, encoder: keras.Model):
        self._encoder = encoder
        family = families.of_backbone(encoder)
        kept = family.hugging_face if family else None
        # Of a family whose folders have no pooler, as ELECTRA's.
        is_lost = kept and kept.names and kept.names.pooler is None
        self._lost = {"pooled_output"} if is_lost else set()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return outputs by name, for int32 `[batch, length]` inputs."""
        inputs = {name: batch[name] for name in self._encoder.input}
        outputs = self._encoder(inputs, training=False)
        if not isinstance(outputs, dict):
            is_task = isinstance(self._encoder, keras_hub.models.Task)
            outputs = {"logits" if is_task else "sequence_output": outputs}
        outputs = {k: x for k, x in outputs.items() if k not in self._lost}
        return {
            name: keras.ops.convert_to_numpy(value)
            for name, value in outputs.items()
        }


def _contents(
    backbone: keras.Model,
) -> tuple[Family, HuggingFace, dict[str, Any], dict[str, Any]]:
    """Return a backbone's family, and what a folder of it holds.

    Raises:
        UserError: `transformers` has no such model.
    """
    name = type(backbone).__name__
    writable = {
        family.backbone: family
        for family in families.FAMILIES
        if family.hugging_face and family.hugging_face.contents
    }
    if name not in writable:
        raise UserError(
            f"cannot write a {name} as a Hugging Face folder: expected "
            + " or ".join(f"a {backbone_name}" for backbone_name in writable)
        )
    kept = writable[name].hugging_face
    assert kept is not None
    assert kept.contents is not None
    return writable[name], kept, *kept.contents(kept.names, backbone)


def _below_head(
    family: HuggingFace, modules: Mapping[str, Any], pools: bool = False
) -> dict[str, Any]:
    """Return an encoder's layers as a part of a model with a head.

    Without `pools`, the class has no pooler, and would warn of it.
    """
    return {
        f"{family.prefix}{name}": layer
        for name, layer in modules.items()
        if pools or name not in _POOLERS
    }


def _suffix(model: keras_hub.models.Task) -> str:
    """Return the end of the name of the class in `transformers`."""
    kind = kind_of_head(model)
    if kind is None:
        raise UserError(
            f"cannot write a {type(model).__name__} as a Hugging Face folder: "
            "expected a model with a head for a task, or a backbone"
        )
    return kind.transformers_head


def _classifier_head(
    model: keras_hub.models.Task, labels: Sequence[str], family: HuggingFace
) -> tuple[dict[str, Any], dict[str, Any]]:
    _require_plain(model)
    settings = _names(model, labels)
    settings[family.classifier_dropout[0]] = model.dropout
    modules = _modules(model, family.classifier)
    if family.classifier_pooling:
        settings[family.classifier_pooling] = model.pooling
    if model.num_classes == 1:
        settings["problem_type"] = "regression"
    elif gives_several_labels(model):
        settings["problem_type"] = "multi_label_classification"
    if isinstance(model, FirstTokenClassifier):
        if model.activation != family.classifier_activation:
            raise UserError(
                f"cannot write a {type(model).__name__} as a Hugging Face "
                f"folder: its activation is {model.activation}, expected "
                f"{family.classifier_activation}, which {family.class_name}'s "
                "classifiers have"
            )
        settings["classifier_activation"] = True  # The pooler is tanh.
    return settings, modules


def _names(
    model: keras_hub.models.Task, labels: Sequence[str]
) -> dict[str, Any]:
    """Return the names of classes as a configuration has them."""
    names = labels or [f"LABEL_{i}" for i in range(model.num_classes)]
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _require_plain(model: keras_hub.models.Task) -> None:
    """Refuse settings of KerasHub's classifiers that no folder has."""
    width = getattr(model, "hidden_dim", None) or model.backbone.hidden_dim
    activation = model.get_layer("logits").activation
    if width != model.backbone.hidden_dim:
        fault = f"hidden_dim={width}, expected {model.backbone.hidden_dim}"
    elif activation is not keras.activations.linear and (
        not gives_several_labels(model)
    ):
        fault = "an activation of the logits, expected none"
    else:
        return
    raise UserError(
        f"cannot write a {type(model).__name__} as a Hugging Face folder: it "
        f"has {fault}"
    )


def _answering_head(
    model: keras_hub.models.Task, labels: Sequence[str], family: HuggingFace
) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = {family.spans_dropout: model.dropout}
    return settings, _modules(model, family.spans)


def _modules(
    model: keras_hub.models.Task, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return layers by PyTorch's names, which `names` has by Keras'."""
    return {module: model.get_layer(name) for name, module in names.items()}


def _tagging_head(
    model: keras_hub.models.Task, labels: Sequence[str], family: HuggingFace
) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = _names(model, labels)
    settings[family.classifier_dropout[0]] = model.dropout
    return settings, _modules(model, family.tokens)


# The settings of heads, and their layers by PyTorch's names; by the class
# that a task's kind declares.
_HEADS = {
    _CLASSIFIER: _classifier_head,
    "ForQuestionAnswering": _answering_head,
    "ForTokenClassification": _tagging_head,
}


def _arrays(
    module: str, layer: keras.layers.Layer
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a layer's weights as PyTorch has them, by name."""
    for variable in layer.weights:
        value = weights.array(variable)
        name = pytorch_name(module, variable.name)
        if variable.name == "kernel":  # [inputs, units], or heads in between.
            value = value.reshape(-1, num_units(layer)).T
        elif variable.name == "bias":
            value = value.reshape(-1)
        yield name, np.array(value, order="C")
