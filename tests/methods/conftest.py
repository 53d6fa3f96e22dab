"""Distillation of small models in one line."""

import keras
import numpy as np
import pytest

import tfminilm

SMALL = {"num_layers": 2, "dropout": 0.0, "hidden_dim": 16}


def _losses(method, teacher, student, *batch):
    """What a distiller reports of a batch, each term and their sum."""
    distiller = tfminilm.Distiller(teacher, student, method)
    eager = keras.backend.backend() == "tensorflow"
    distiller.compile(keras.optimizers.SGD(0.01), run_eagerly=eager)
    return distiller.test_on_batch(*batch, return_dict=True)


def _refusal(method, teacher, student):
    """The one line with which a method refuses two models."""
    with pytest.raises(tfminilm.UserError) as error:
        method.check(teacher, student)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture(scope="session")
def evaluate():
    return _losses


@pytest.fixture(scope="session")
def refusal():
    return _refusal


@pytest.fixture(scope="session")
def heads(make_head):
    """`heads("classifier")`: a teacher and a student; leave them as they are.

    They are made once for the same arguments.
    """
    made = {}

    def get(head, kind="bert", **options):
        key = head, kind, tuple(sorted(options.items()))
        if key not in made:
            made[key] = tuple(
                make_head(head, kind, seed=seed, **SMALL | options)
                for seed in range(2)
            )
        return made[key]

    return get


@pytest.fixture(scope="session")
def outputs():
    """A model's output as float64 arrays."""

    def get(model, batch):
        return keras.tree.map_structure(
            lambda x: keras.ops.convert_to_numpy(x).astype(np.float64),
            model(batch, training=False),
        )

    return get
