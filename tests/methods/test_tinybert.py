"""TinyBERT: embeddings, hidden states, attention scores and predictions."""

import keras
import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm.methods import TinyBERT
from tfminilm.teachers import expose

LABELS = np.array([0, 2, 1])
# The teacher's layers that teach a student of 2 layers, counted from 1.
MAPS = {"uniform": (2, 4), "top": (3, 4), "bottom": (1, 2)}
EAGER = keras.backend.backend() == "tensorflow"


@pytest.fixture(scope="module")
def models(make_head):
    """Four layers, 32 wide, teach two of 16."""
    return (
        make_head("classifier", num_layers=4, dropout=0.0),
        make_head("classifier", seed=1, num_layers=2, hidden_dim=16),
    )


@pytest.fixture(scope="module")
def batch(models, make_batch):
    return make_batch(models[0])


@pytest.fixture(scope="module")
def tensors(models, batch, run):
    """`tensors(model, name, index)` of the batch, in float64."""

    def get(model, name, index):
        shown = expose(models[model], {name: [index]})
        (value,) = run(shown, batch).values()
        return value.astype("float64")

    return get


@pytest.fixture
def distil(models):
    """Makes a distiller that can evaluate."""

    def get(method):
        distiller = tfminilm.Distiller(*models, method)
        distiller.compile(keras.optimizers.SGD(0.01), run_eagerly=EAGER)
        return distiller

    return get


def expected(tensors, distiller, layers, mask):
    """Equations 7 to 9 by NumPy."""
    mask = mask.astype(bool)
    pairs = mask[:, :, None] & mask[:, None, :]
    shared = distiller.method.projection == "shared"
    found = {}
    for ours, theirs in enumerate((0, *MAPS[layers])):
        name = f"hidden_mse_{ours}" if ours else "embedding_mse"
        key = "hidden_mse" if shared and ours else name
        kernel = distiller.projections[f"{key}_projection"].kernel
        kernel = keras.ops.convert_to_numpy(kernel).astype("float64")
        learnt = tensors(1, "hidden_states", ours) @ kernel
        taught = tensors(0, "hidden_states", theirs)
        found[name] = ((learnt - taught)[mask] ** 2).mean()
        if ours:
            learnt = tensors(1, "attention_scores", ours - 1)
            taught = tensors(0, "attention_scores", theirs - 1)
            each = ((learnt - taught) ** 2).mean(axis=1)
            found[f"attention_mse_{ours}"] = each[pairs].mean()
    return found


@pytest.mark.parametrize(
    ("layers", "projection"),
    [("uniform", "per_layer"), ("top", "shared")],
)
def test_the_losses_are_the_papers(
    layers, projection, models, tensors, distil, batch
):
    weights = {"embedding": 2.0, "hidden": 3.0, "attention": 5.0}
    method = TinyBERT(
        layers,
        projection=projection,
        **{f"{name}_weight": value for name, value in weights.items()},
    )
    distiller = distil(method)
    logs = distiller.test_on_batch(batch, return_dict=True)
    terms = expected(tensors, distiller, layers, batch["padding_mask"])
    total = sum(weights[k.split("_")[0]] * v for k, v in terms.items())
    assert logs == pytest.approx(terms | {"loss": total}, rel=1e-4)
    kernels = [layer.kernel for layer in distiller.projections.values()]
    assert len(kernels) == (2 if projection == "shared" else 3)
    students = {id(weight) for weight in models[1].weights}
    assert students.isdisjoint(map(id, kernels))


def test_the_bottom_map(models):
    terms = TinyBERT("bottom", embedding_weight=0.0).terms(*models)
    assert [(t.teacher, t.student) for t in terms] == [
        ((name, layer), (name, layer))
        for layer in (1, 2)
        for name, layer in (
            ("hidden_states", layer),
            ("attention_scores", layer - 1),
        )
    ]


def test_the_prediction_is_the_papers(models, batch, outputs, evaluate):
    p, q = (
        scipy.special.log_softmax(outputs(m, batch) / 2, axis=-1)
        for m in models
    )
    method = TinyBERT.prediction(temperature=2.0)
    logs = evaluate(method, *models, batch, LABELS)
    # The paper's cross-entropy is the divergence and the teacher's entropy.
    cross = -(np.exp(p) * q).sum(-1).mean()
    entropy = -(np.exp(p) * p).sum(-1).mean()
    expected = 4 * (cross - entropy)
    assert logs == pytest.approx(
        {"soft_targets": expected, "loss": expected}, rel=1e-3
    )


def test_padding_changes_nothing(models, make_batch, distil):
    distiller = distil(TinyBERT())
    short, long = (make_batch(models[0], total=n) for n in (9, 14))
    noise = np.where(long["padding_mask"], long["token_ids"], 77)
    long["token_ids"] = noise.astype("int32")
    logs = distiller.test_on_batch(short, return_dict=True)
    distiller.reset_metrics()
    again = distiller.test_on_batch(long, return_dict=True)
    assert logs == pytest.approx(again, rel=1e-4)


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ("embedding", {"hidden", "attention", "soft"}),
        ("hidden", {"embedding", "attention", "soft"}),
        ("attention", {"embedding", "hidden", "soft"}),
        ("prediction", {"embedding", "hidden", "attention"}),
    ],
)
def test_each_loss_can_be_left_out(off, left, models):
    method = TinyBERT(**{"prediction_weight": 1.0, f"{off}_weight": 0.0})
    terms = method.terms(*models)
    assert {term.name.split("_")[0] for term in terms} == left
    assert method.reads == ("text" if off == "prediction" else "labels")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "skip"}, "layers is 'skip', expected uniform or top or b"),
        ({"hidden_weight": -1.0}, "hidden_weight is -1.0, expected 0 or more"),
        ({"temperature": 0.0}, "temperature is 0.0, expected above 0"),
        ({"projection": "all"}, "projection is 'all', expected per_layer or"),
        (
            {f"{x}_weight": 0.0 for x in ("embedding", "hidden", "attention")},
            "no loss left",
        ),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        TinyBERT(**options)


def test_refuses_models_that_do_not_fit(models, make_head, refusal):
    teacher, student = models
    three = make_head("classifier", num_layers=3, hidden_dim=16)
    text = refusal(TinyBERT(), teacher, three)
    assert "3 student layers do not divide 4" in text
    TinyBERT("top").check(teacher, three)
    text = refusal(TinyBERT(projection="none"), teacher, student)
    assert "have 32 numbers, the student's 16: set projection" in text
    TinyBERT(embedding_weight=0.0, hidden_weight=0.0, projection="none").check(
        teacher, student
    )
    two = make_head("classifier", num_layers=2, num_heads=2)
    text = refusal(TinyBERT(), teacher, two)
    assert "the teacher has 4, the student 2" in text
    TinyBERT(attention_weight=0.0).check(teacher, two)
    text = refusal(TinyBERT.prediction(), teacher, student.backbone)
    assert "without a head" in text
