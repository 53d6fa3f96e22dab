"""Stages that are skipped, as if they were not there."""

import pytest

from tfminilm.errors import UsageError
from tfminilm.train.recipe import Recipe, Stage, StudentSpec

STAGES = {
    "first": Stage(student=StudentSpec(init="bottom")),
    "second": Stage(student=StudentSpec(init="uniform", init_from="first")),
    "third": Stage(student=StudentSpec(init="uniform", init_from="second")),
    "taught": Stage(teacher="second"),
}


def parse(*skipped):
    config = Recipe(name="four", stages=STAGES).config()
    for name in skipped:
        config.stages[name].skip = True
    return Recipe.parse(config).stages


def start(stage):
    return stage.student.init, stage.student.init_from


def test_nothing_is_skipped_unless_told():
    assert parse() == STAGES


def test_others_start_in_its_place():
    found = parse("first")
    assert list(found) == ["second", "third", "taught"]
    assert start(found["second"]) == ("bottom", "")
    assert start(found["third"]) == ("uniform", "second")
    found = parse("first", "second", "taught")
    assert list(found) == ["third"]
    assert start(found["third"]) == ("bottom", "")
    assert start(parse("second", "taught")["third"]) == ("uniform", "first")


@pytest.mark.parametrize(
    ("skipped", "message"),
    [
        (["second"], "stages.second is skipped, but it is the teacher of sta"),
        (list(STAGES), "all its stages are skipped"),
    ],
)
def test_refused(skipped, message):
    with pytest.raises(UsageError, match=message):
        parse(*skipped)


def test_a_single_stage_is_not_skipped():
    with pytest.raises(UsageError, match="skip is True, and there is one"):
        Recipe.parse(Recipe(name="one", skip=True).config())
