"""Tags become entities, and entities a score, by seqeval's rules."""

import json
import pathlib

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import entities
from tfminilm.tasks.entities import Entity

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "seqeval.json"
CASES = json.loads(GOLDEN.read_text())


def words(tags):
    return [(3 * place, 3 * place + 2) for place in range(len(tags))]


def entities_of(sequences):
    return [entities.entities(tags, words(tags)) for tags in sequences]


def test_entities_are_seqevals():
    for case in CASES:
        found = [entities.chunks(tags) for tags in case["true"]]
        wanted = [[tuple(one) for one in row] for row in case["chunks"]]
        assert found == wanted


def test_scores_are_seqevals():
    for case in CASES:
        found = entities.score(*map(entities_of, (case["true"], case["guess"])))
        wanted = {name: case[name] for name in ("f1", "precision", "recall")}
        assert found == pytest.approx(wanted, abs=1e-12)
    assert {case["scheme"] for case in CASES} == {"bio", "bilou", "bioes"}


def test_nothing_to_find_scores_zero():
    assert entities.score([[]], [[]]) == {"f1": 0, "precision": 0, "recall": 0}


def test_an_entity_has_its_words_characters():
    tags = ["I-PER", "I-PER", "O", "B-LOC", "B-LOC"]
    assert entities.entities(tags, words(tags)) == (
        Entity(0, 5, "PER"),
        Entity(9, 11, "LOC"),
        Entity(12, 14, "LOC"),
    )


@pytest.mark.parametrize(
    ("tags", "scheme", "expected"),
    [
        ("O B-X", "bio", "O B-X I-X"),
        ("I-X B-Y O", "bio", "O B-X I-X B-Y I-Y"),
        ("I-X", "bio", "O B-X I-X"),
        ("B-X I-X L-X U-Y", "bilou", "O B-X I-X L-X U-X B-Y I-Y L-Y U-Y"),
        ("S-a-b E-a-b", "bioes", "O B-a-b I-a-b E-a-b S-a-b"),
    ],
)
def test_a_model_knows_all_tags_of_a_scheme(tags, scheme, expected):
    assert entities.scheme_of(tags.split(), "it") == scheme
    assert entities.complete(tags.split(), "it") == tuple(expected.split())


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["PER"], "it: tag 'PER' is none; expected O, or B-"),
        (["B-"], "tag 'B-' is none"),
        (["b-PER"], "tag 'b-PER' is none"),
        (["B-X", "L-X", "S-X"], "begin with B, L, S, expected those of one"),
        (["O"], "every tag is O, expected entities"),
    ],
)
def test_bad_tags(tags, words):
    with pytest.raises(UserError, match=words):
        entities.complete(tags, "it")
