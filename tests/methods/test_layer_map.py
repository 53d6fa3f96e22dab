"""Which layer teaches which: the papers' own examples, and refusals."""

import pytest

import tfminilm
from tfminilm.methods import layer_map


@pytest.mark.parametrize(
    ("kind", "teacher", "student", "layers"),
    [
        ("uniform", 12, 4, (2, 5, 8, 11)),
        ("top", 12, 4, (8, 9, 10, 11)),
        ("bottom", 12, 4, (0, 1, 2, 3)),
        ("skip", 12, 6, (1, 3, 5, 7, 9)),  # Layers 2, 4, 6, 8, 10.
        ("last", 12, 6, (6, 7, 8, 9, 10)),  # Layers 7 to 11.
        ("skip", 12, 3, (3, 7)),
        ("last", 12, 3, (9, 10)),
        ("last", 6, 4, (2, 3, 4)),
        ("uniform", 6, 6, (0, 1, 2, 3, 4, 5)),
        ("top", 6, 5, (1, 2, 3, 4, 5)),
        ("bottom", 6, 5, (0, 1, 2, 3, 4)),
        ("last", 6, 1, ()),
    ],
)
def test_maps(kind, teacher, student, layers):
    assert layer_map(kind, teacher, student) == layers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("uniform", 12, 5), "5 student layers do not divide 12"),
        (("skip", 6, 4), "4 student layers do not divide 6"),
        (("top", 6, 7), "expected 1 to 6 student layers"),
        (("bottom", 6, 0), "expected 1 to 6 student layers"),
        (("upper", 6, 3), "layer map is 'upper', expected last, uniform"),
    ],
)
def test_refuses_what_does_not_exist(arguments, message):
    with pytest.raises(tfminilm.UserError, match=message) as error:
        layer_map(*arguments)
    assert "\n" not in str(error.value)
