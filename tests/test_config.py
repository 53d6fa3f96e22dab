"""Nested mappings become typed dataclasses, or one line says why not."""

import copy
import dataclasses
from typing import Any, Literal

import ml_collections
import pytest

from tfminilm.config import Typed, one_of, parse, to_dict
from tfminilm.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Engine(Typed):
    power: float = 1.0
    gears: int = 5


@dataclasses.dataclass(frozen=True)
class Horse:
    legs: int = 4
    rider: str | None = None
    gait: Literal["walk", "trot"] = "walk"


@dataclasses.dataclass(frozen=True)
class Cart(Typed):
    pulled_by: Any = one_of(  # noqa: RUF009 (a field)
        lambda: {"Engine": Engine, "Horse": Horse}, "Horse"
    )
    cargo: dict[str, Engine] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Car(Typed):
    name: str = ""
    fast: bool = False
    engine: Engine = Engine()
    wheels: tuple[int, ...] = (1, 2)


def test_reads_nested_mappings():
    given = {"name": "a", "engine": {"power": 2}, "wheels": [3]}
    expected = Car("a", engine=Engine(power=2.0), wheels=(3,))
    for config in (given, ml_collections.ConfigDict(given)):
        found = parse(Car, config, "car")
        assert found == expected
        assert type(found.engine.power) is float


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"engine": {"geers": 4}},
            "car: unknown key engine.geers; did you mean engine.gears?",
        ),
        ({"nam": "a"}, "car: unknown key nam; did you mean name?"),
        ({1: 2}, "car: unknown key 1; did you mean"),
        ({"engine": 3}, "car: engine is 3, expected keys power, gears"),
        (7, "car: the car is 7, expected keys name, fast, engine, wheels"),
        ({"name": 3}, "car: name is 3 (int), expected str"),
        ({"fast": 1}, "car: fast is 1 (int), expected bool"),
        (
            {"engine": {"gears": True}},
            "car: engine.gears is True (bool), expected int",
        ),
        (
            {"engine": {"gears": 4.0}},
            "car: engine.gears is 4.0 (float), expected int",
        ),
        (
            {"engine": {"power": "4"}},
            "car: engine.power is '4' (str), expected float",
        ),
        ({"wheels": [1, "2"]}, "car: wheels[1] is '2' (str), expected int"),
        ({"wheels": 4}, "car: wheels is 4 (int), expected tuple"),
    ],
)
def test_refuses(config, said):
    with pytest.raises(UsageError) as caught:
        parse(Car, config, "car")
    assert str(caught.value).startswith(said)


def test_one_of_several_classes_and_a_mapping_of_them():
    cart = Cart(Engine(gears=2), {"b": Engine(1.0), "a": Engine()})
    config = to_dict(cart)
    assert config["pulled_by"] == {"name": "Engine", "power": 1.0, "gears": 2}
    assert list(config["cargo"]) == ["b", "a"]
    assert parse(Cart, config, "cart") == cart
    assert parse(Cart, {}, "cart") == Cart(Horse())
    assert parse(Cart, {"pulled_by": {"rider": "A"}}, "cart") == Cart(
        Horse(rider="A")
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"pulled_by": {"name": "Hors"}},
            "cart: pulled_by.name is 'Hors'; did you mean Horse? There are",
        ),
        (
            {"pulled_by": {"lexs": 4}},
            "cart: unknown key pulled_by.lexs; did you mean pulled_by.legs?",
        ),
        ({"pulled_by": "Horse"}, "cart: pulled_by is 'Horse', expected keys"),
        (
            {"pulled_by": {"gait": "run"}},
            "cart: pulled_by.gait is 'run' (str), expected 'walk' or 'trot'",
        ),
        (
            {"cargo": {"a": {"powr": 1.0}}},
            "cart: unknown key cargo.a.powr; did you mean cargo.a.power?",
        ),
        ({"cargo": 3}, "cart: cargo is 3, expected keys of its own"),
    ],
)
def test_refuses_in_them(config, said):
    with pytest.raises(UsageError) as caught:
        parse(Cart, config, "cart")
    assert str(caught.value).startswith(said)


def test_constructor_names_the_nearest_key():
    with pytest.raises(UsageError) as caught:
        Car(naem="a")
    assert str(caught.value) == "Car: unknown key naem; did you mean name?"


def test_typed_ones_copy_as_others_do():
    car = Car("a", wheels=(3,))
    assert copy.deepcopy(car) == car
    assert dataclasses.replace(car, fast=True).fast
