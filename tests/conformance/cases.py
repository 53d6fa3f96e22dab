"""The table: every public method with models that suit it.

Built without pytest, so that a process of its own can use it too.
"""

import dataclasses
from collections.abc import Callable

import keras
import keras_hub
import numpy as np

import tfminilm
from tfminilm import methods, students
from tfminilm.students.bilstm_model import BiLSTMClassifier
from tfminilm.teachers import build_masked_lm

VOCABULARY, LENGTH, ROWS, MASKED, CLASSES = 50, 10, 4, 2, 3
SHAPE = {
    "num_heads": 2,
    "vocabulary_size": VOCABULARY,
    "max_sequence_length": LENGTH,
    "dropout": 0.0,
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A method, its models, and what a step of it leaves alone.

    `untrained` names those of the student's weights, by parts of their paths.
    """

    method: methods.Method
    teacher: Callable[[], keras.Model]
    student: Callable[[], keras.Model]
    untrained: tuple[str, ...] = ()


def bert(num_layers=2, hidden_dim=8):
    return students.bert(num_layers, hidden_dim, **SHAPE)


def classifier(**options):
    return keras_hub.models.BertTextClassifier(
        bert(**options), num_classes=CLASSES, dropout=0.0
    )


def masked_bert():
    return build_masked_lm(bert())


def masked_distilbert():
    return build_masked_lm(students.distilbert(1, 8, **SHAPE))


def bilstm_classifier():
    backbone = students.bilstm(VOCABULARY, 8, 6, 10, pairs=True, dropout=0.0)
    return BiLSTMClassifier(backbone, CLASSES)


def mobilebert(kind="mobilebert", **options):
    sizes = {
        "num_layers": 2,
        "hidden_dim": 12,
        "bottleneck_dim": 8,
        "intermediate_dim": 6,
        "embedding_dim": 4,
        "attention_dropout": 0.0,
    }
    return getattr(students, kind)(**SHAPE | sizes | options)


# Everything of the last layer but what its queries, keys and values need.
ABOVE_ATTENTION = (
    "transformer_layer_1/self_attention_layer/attention_output",
    "transformer_layer_1/self_attention_layer_norm",
    "transformer_layer_1/feedforward",
    "pooled_dense",
)
POOLER = ("pooled_dense",)

METHODS = {
    "MiniLM": Case(methods.MiniLM(), bert, bert, ABOVE_ATTENTION),
    "MiniLMv2": Case(
        methods.MiniLMv2(num_relation_heads=4),
        lambda: bert(3, 16),
        bert,
        ABOVE_ATTENTION,
    ),
    "SoftTargets": Case(
        methods.SoftTargets(temperature=3.0), classifier, classifier
    ),
    "MLMKD": Case(methods.MLMKD(), masked_bert, masked_bert, POOLER),
    "DistilBERT": Case(methods.DistilBERT(), masked_bert, masked_distilbert),
    "MobileBERT": Case(
        methods.MobileBERT(),
        lambda: build_masked_lm(mobilebert("ib_bert")),
        lambda: build_masked_lm(mobilebert()),
    ),
    "PatientKD": Case(
        methods.PatientKD("last", beta=3.0),
        lambda: classifier(num_layers=4),
        classifier,
    ),
    "Ranking": Case(
        # Cosines: squares of other products are far off in bfloat16.
        methods.Ranking(
            group=4, listwise_weight=1.0, temperature=2.0, normalize=True
        ),
        bert,
        bert,
        POOLER,
    ),
    "SentenceEmbedding": Case(
        methods.SentenceEmbedding(project=True),
        lambda: bert(1, 16),
        bert,
        POOLER,
    ),
    "BiLSTMSoft": Case(methods.BiLSTMSoft(), classifier, bilstm_classifier),
    "TinyBERT": Case(
        methods.TinyBERT(prediction_weight=1.0),
        lambda: classifier(hidden_dim=16),
        classifier,
    ),
}

# Their rows belong together, and a replica of a few rows would part them.
GROUPED = {"Ranking"}

STUDENTS = {
    "bert": bert,
    "bilstm": lambda: students.bilstm(VOCABULARY, 8, 6, 10, dropout=0.0),
    "deberta_v3": lambda: students.deberta_v3(1, 8, **SHAPE),
    "distilbert": lambda: students.distilbert(1, 8, **SHAPE),
    "electra": lambda: students.electra(1, 8, embedding_dim=4, **SHAPE),
    "ib_bert": lambda: mobilebert("ib_bert"),
    "mobilebert": mobilebert,
    "mobilebert_tiny": lambda: mobilebert("mobilebert_tiny"),
    "mobilebert_without_opt": lambda: mobilebert("mobilebert_without_opt"),
    "mpnet": lambda: students.mpnet(1, 8, **SHAPE),
    "modernbert": lambda: students.modernbert(1, 8, **SHAPE),
    "roberta": lambda: students.roberta(1, 8, **SHAPE),
    "xlm_roberta": lambda: students.xlm_roberta(1, 8, **SHAPE),
}


def keras_hub_backbone(name, num_layers, **sizes):
    shape = SHAPE | {"hidden_dim": 8, "intermediate_dim": 16} | sizes
    return getattr(keras_hub.models, name)(num_layers=num_layers, **shape)


# A model of each registered family by the number of its layers.
FAMILIES = {
    "albert": lambda n: keras_hub_backbone(
        "AlbertBackbone", n, embedding_dim=4, num_groups=n
    ),
    "bert": bert,
    "bilstm": lambda n: students.bilstm(VOCABULARY, 8, 6, 10, dropout=0.0),
    "deberta_v3": lambda n: students.deberta_v3(n, 8, **SHAPE),
    "distilbert": lambda n: students.distilbert(n, 8, **SHAPE),
    "electra": lambda n: students.electra(n, 8, embedding_dim=4, **SHAPE),
    "mobilebert": lambda n: mobilebert(num_layers=n),
    "mpnet": lambda n: students.mpnet(n, 8, pooler=True, **SHAPE),
    "modernbert": lambda n: students.modernbert(n, 8, **SHAPE),
    "roberta": lambda n: students.roberta(n, 8, **SHAPE),
    "xlm_roberta": lambda n: students.xlm_roberta(n, 8, **SHAPE),
}


def public_methods():
    """The names of all classes that `Distiller` takes."""
    found = {name: getattr(methods, name) for name in methods.__all__}
    return {
        name
        for name, value in found.items()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    } - {"Term"}


def public_students():
    """The names of all functions that build a student."""
    return {name for name in students.__all__ if not name.startswith("init")}


def batch(method, seed=0):
    """`(x,)`, `(x, y)` or `(x, y, weights)`: what the method reads."""
    random = np.random.default_rng(seed)
    shape = (ROWS, LENGTH)
    x = {
        "token_ids": random.integers(1, VOCABULARY, shape),
        "segment_ids": np.arange(LENGTH)[None].repeat(ROWS, 0) // 6,
        "padding_mask": np.ones(shape),
    }
    if method.reads == "text":
        return (_integers(x),)
    if method.reads == "labels":
        return _integers(x), random.integers(0, CLASSES, ROWS).astype("int32")
    x["mask_positions"] = random.integers(0, LENGTH, (ROWS, MASKED))
    y = random.integers(1, VOCABULARY, (ROWS, MASKED)).astype("int32")
    return _integers(x), y, np.ones((ROWS, MASKED), "float32")


def distil(case, seed=0, **options):
    """A compiled distiller of new models, the same ones for the same seed."""
    keras.utils.set_random_seed(seed)
    teacher, student = case.teacher(), case.student()
    for weight in (*teacher.weights, *student.weights):
        if weight.name == "kernel":  # So that every weight matters.
            weight.assign(10 * weight)
    distiller = tfminilm.Distiller(teacher, student, case.method)
    distiller.compile(keras.optimizers.SGD(0.1), **options)
    return distiller


def _integers(arrays):
    return {name: value.astype("int32") for name, value in arrays.items()}
