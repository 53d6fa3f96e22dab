"""Small encoders whose every weight matters, and one real one."""

import keras_hub
import numpy as np
import pytest

from tfminilm.export.litert import quantize
from tfminilm.export.litert.convert import convert
from tfminilm.tokenizer.hugging_face import with_bert_rules

TEXT = (
    "the cat sat on a mat and saw dog run fast over hill to old red barn "
    "where it found some fish no one had seen before ##s ##ing ##ed"
)
SENTENCES = (
    "the cat sat on the mat",
    "no",
    "a dog saw the old red barn and the cat running fast over the hill",
)


def _make_batch(lengths, total, vocabulary_size=100, seed=0):
    """Random rows: `lengths` real tokens each, padded to `total`."""
    random = np.random.default_rng(seed)
    shape = (len(lengths), total)
    mask = (np.arange(total) < np.array(lengths)[:, None]).astype(np.int32)
    return {
        "token_ids": random.integers(0, vocabulary_size, shape, np.int32),
        "segment_ids": random.integers(0, 2, shape, np.int32),
        "padding_mask": mask,
    }


def _run_graph(graph, batch):
    """Runs a batch row by row; stacks the outputs."""
    signature = graph.signature(batch["token_ids"].shape[1])
    rows = []
    for index in range(len(batch["token_ids"])):
        row = {name: value[index : index + 1] for name, value in batch.items()}
        rows.append({k: v.numpy() for k, v in _call(signature, row).items()})
    return {name: np.concatenate([r[name] for r in rows]) for name in rows[0]}


def _call(signature, row):
    import tensorflow as tf

    return signature(**{name: tf.constant(v) for name, v in row.items()})


def _assert_same(got, wanted, mask, tolerance=1e-4):
    real = mask.astype(bool)
    np.testing.assert_allclose(
        got["sequence_output"][real],
        wanted["sequence_output"][real],
        atol=tolerance,
    )
    np.testing.assert_allclose(
        got["pooled_output"], wanted["pooled_output"], atol=tolerance
    )
    weights = mask[:, :, None] / mask.sum(1)[:, None, None]
    np.testing.assert_allclose(
        got["sentence_embedding"],
        (wanted["sequence_output"] * weights).sum(1),
        atol=tolerance,
    )


@pytest.fixture(scope="session")
def run_graph():
    return _run_graph


@pytest.fixture(scope="session")
def assert_same():
    return _assert_same


@pytest.fixture(scope="session")
def make_backbone(make_encoder):
    """`make_backbone(**sizes)`: a small BERT, of the same weights each time."""
    sizes = {"num_layers": 2, "max_sequence_length": 64}
    return lambda **options: make_encoder("bert", **sizes | options)


@pytest.fixture(scope="session")
def make_batch():
    return _make_batch


@pytest.fixture(scope="session")
def sentences():
    return SENTENCES


@pytest.fixture(scope="session")
def backbone(make_backbone):
    return make_backbone()


@pytest.fixture(scope="session")
def tokenizer():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = list(
        dict.fromkeys(special + TEXT.split() + list("abcdefghijklmno"))
    )
    return with_bert_rules(
        keras_hub.models.BertTokenizer(
            words, lowercase=True, strip_accents=True
        )
    )


@pytest.fixture(scope="session")
def float_file(backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("float32") / "model.tflite"
    path.write_bytes(convert(backbone, "float32", (8, 32)))
    return path


@pytest.fixture(scope="session")
def int8_file(backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "model.tflite"
    path.write_bytes(convert(backbone, "dynamic_wi8_afp32", (8, 32)))
    return path


@pytest.fixture(scope="session")
def half_file(make_backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("float16") / "model.tflite"
    backbone = make_backbone(num_layers=1)
    path.write_bytes(convert(backbone, "float16", (8,)))
    return path


@pytest.fixture(scope="session")
def file_of(float_file, int8_file, half_file, tmp_path_factory):
    """A file in any precision, which has length 8 among others."""
    known = {
        "float32": float_file,
        "float16": half_file,
        "dynamic_wi8_afp32": int8_file,
    }
    folder = tmp_path_factory.mktemp("precisions")

    def write(precision):
        if precision not in known:
            model = float_file.read_bytes()
            plan = quantize.plan(quantize.layers(model), precision, {})
            known[precision] = folder / f"{precision}.tflite"
            known[precision].write_bytes(
                quantize.quantize(
                    model, plan, lambda length: _make_batch([5, 3], length)
                )
            )
        return known[precision]

    return write
