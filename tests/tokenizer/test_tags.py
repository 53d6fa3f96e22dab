"""Tags of words come back from logits of tokens, whatever the tokenizer."""

import numpy as np
import pytest

from tfminilm.tasks import tagging
from tfminilm.tasks.entities import Entity
from tfminilm.tasks.example import TaggedText
from tfminilm.teachers import load_tokenizer

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TEXT = "Zoë Straßenbauer flew to İstanbul , 東 京 ."
WORDS = TEXT.split()
GOLD = "B-PER I-PER O O B-LOC O B-LOC I-LOC O".split()
ENTITIES = (
    Entity(0, 16, "PER"),
    Entity(25, 33, "LOC"),
    Entity(36, 39, "LOC"),
)


def logits_of(tagged):
    """Sure of each label; of the tokens between, sure of another tag."""
    flat = np.full((len(tagged.word), len(tagged.names)), -2.0)
    labels = np.where(tagged.counts, tagged.labels[tagging.OUTPUT], 1)
    flat[np.arange(len(flat)), labels] = 2.0
    rows = np.split(flat, tagged.offsets[1:-1])
    # A batch is padded.
    return [np.pad(row, ((0, 3), (0, 0))) for row in rows]


@pytest.mark.parametrize("max_length", [64, 9, 5])
def test_gold_logits_give_the_gold_entities(family, folder_of, max_length):
    """On every tokenizer, in one window and in many."""
    tokenizer = load_tokenizer(folder_of(family))
    examples = [
        TaggedText.of_words("0", WORDS, tuple(GOLD)),
        TaggedText.of_words("1", ["a"], ("O",)),
    ]
    tagged = tagging.tag(examples, TAGS, tokenizer, max_length)
    assert tagged.lengths.max() <= max_length
    first, second = tagging.untag(examples, tagged, logits_of(tagged))
    assert tuple(entity for entity, _ in first) == ENTITIES
    assert second == ()
    # A softmax of 2 and of four times -2.
    assert first[0].score == pytest.approx(1 / (1 + 4 * np.exp(-4)))
    kept = tagged.word[tagged.counts]
    owner = np.repeat(tagged.text, tagged.lengths)[tagged.counts]
    pairs = [*zip(owner.tolist(), kept.tolist(), strict=True)]
    assert pairs == [*((0, word) for word in range(len(WORDS))), (1, 0)]
