"""Tokens know their characters in the text as it was, by every rule."""

import numpy as np
import pytest

from tfminilm.tasks.example import QAExample
from tfminilm.tasks.spans import span_tokenizer
from tfminilm.tasks.windows import answers, make_windows
from tfminilm.teachers import load_tokenizer

CONTEXT = (
    "Das\u00a0Cafe\u0301 in der stra\u00adße\u200b, "
    "한국어 漢字\u0007 ﬁn İstanbul 👩‍👩 ``CAFÉ'' ½ ends."
)
ANSWERS = ("Das", "Cafe\u0301", "stra\u00adße", "漢字", "İstanbul", "CAFÉ", "½")


@pytest.fixture
def tokenizer(family, folder_of):
    return load_tokenizer(folder_of(family))


def test_ids_are_the_same_with_spans(tokenizer, ids_of, lines):
    given = [*lines, CONTEXT, "a\ud800b"]
    found = span_tokenizer(tokenizer)(given)
    assert [each.ids.tolist() for each in found] == ids_of(tokenizer, given)
    for text, each in zip(given, found, strict=True):
        assert each.spans.shape == (len(each.ids), 2)
        assert (each.spans[:, 0] <= each.spans[:, 1]).all()
        assert (np.diff(each.spans[:, 0]) >= 0).all()
        assert each.spans.max(initial=0) <= len(text)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_gold_answer_comes_back(tokenizer, answer):
    """With the accents and soft hyphens that no token has."""
    start = CONTEXT.index(answer)
    asked = QAExample("q", "is it?", CONTEXT, (answer,), (start,), False)
    found = make_windows([asked], tokenizer, max_length=256)
    labels = found.labels
    size = int(found.lengths[0])
    logits = np.zeros((2, size))
    for row, side in zip(logits, ("start", "end"), strict=True):
        place = int(labels[f"{side}_logits"][0])
        assert place > 0
        row[place] = 9
    (best,) = answers([asked], found, {0: tuple(logits)})
    # An accent behind the last letter belongs to no token.
    assert best.texts[0].rstrip("\u0301") == answer.rstrip("\u0301")


def test_places_by_berts_rules(folder_of):
    tokenizer = load_tokenizer(folder_of("bert"))
    (found,) = span_tokenizer(tokenizer)([CONTEXT])
    words = [tokenizer.id_to_token(int(i)) for i in found.ids]
    parts = [CONTEXT[start:end] for start, end in found.spans]
    both = dict(zip(words, parts, strict=True))
    assert both["cafe"] == "CAFÉ"
    assert both["##\u1161"] == "한"  # A stroke stands for its syllable.
    assert both["ﬁ"] == "ﬁ"
    assert "".join(parts).count("漢") == 1
