"""Words get the tag of their first piece, and entities their characters."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import tagging
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.entities import Entity
from tfminilm.tasks.example import TaggedText
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.spans import Spans
from tfminilm.tasks.words import words_and_marks

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def text_of(words, tags, name="0"):
    return TaggedText.of_words(name, words, tuple(tags))


def word_pieces():
    import keras_hub

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcde", "##b"]
    return keras_hub.models.BertTokenizer(vocabulary=pieces, lowercase=True)


def test_the_first_piece_has_the_tag():
    example = text_of(["ab", "c", "abb"], ["B-LOC", "O", "I-PER"])
    tagged = tagging.tag([example], TAGS, word_pieces(), 16)
    # [CLS] a ##b c a ##b ##b [SEP]
    assert tagged.word.tolist() == [-1, 0, -1, 1, 2, -1, -1, -1]
    assert tagged.labels[tagging.OUTPUT].tolist() == [0, 3, 0, 0, 2, 0, 0, 0]
    assert tagged.counts.tolist() == [0, 1, 0, 1, 1, 0, 0, 0]
    assert not tagged.segment_ids.any()


def test_texts_without_tags_have_places_for_them():
    example = TaggedText.of_words("0", ["ab", "c"], None)
    tagged = tagging.tag([example], TAGS, word_pieces(), 16)
    assert tagged.labels == {}
    assert Batches(tagged, 1).batch(0)[2].tolist() == [[0, 1, 0, 1, 0]]


def test_a_word_is_read_where_it_has_most_context():
    words = list("abcdeabcdea")
    tagged = tagging.tag(
        [text_of(words, ["O"] * len(words))], TAGS, word_pieces(), 8
    )
    read = np.split(tagged.word, tagged.offsets[1:-1])
    # Windows of six words begin at 0, 3 and 5, with middles 2.5, 5.5, 7.5.
    assert [row[row >= 0].tolist() for row in read] == [
        [0, 1, 2, 3, 4],
        [5, 6],
        [7, 8, 9, 10],
    ]
    assert tagged.lengths.tolist() == [8, 8, 8]


def test_a_mark_without_a_piece_goes_with_the_word_before():
    """A soft hyphen and a lone joiner have no token."""
    text = "a \u200d b"
    example = TaggedText("0", text, words_and_marks(text), None)
    assert len(example.words) == 3
    tagged = tagging.tag([example], TAGS, word_pieces(), 16)
    assert tagged.word.tolist() == [-1, 0, 2, -1]
    logits = np.eye(5)[[0, 1, 2, 0]]
    ((scored,),) = tagging.untag([example], tagged, [logits])
    assert scored.entity == Entity(0, 5, "PER")


def test_a_mark_at_the_end_is_part_of_the_entity():
    text = "b a \u200d"
    example = TaggedText("0", text, words_and_marks(text), None)
    tagged = tagging.tag([example], TAGS, word_pieces(), 16)
    logits = np.eye(5)[[0, 0, 3, 0]]
    ((scored,),) = tagging.untag([example], tagged, [logits])
    assert scored.entity == Entity(2, 5, "LOC")


def test_words_without_a_blank_between_have_their_own_pieces():
    text = "ab,c"
    example = TaggedText("0", text, words_and_marks(text), None)
    tagged = tagging.tag([example], TAGS, word_pieces(), 16)
    # [CLS] a ##b [UNK] c [SEP]
    assert tagged.word.tolist() == [-1, 0, -1, 1, 2, -1]


def test_of_words_that_share_a_piece_it_is_the_first_ones():
    """As of signs that byte pairs put together."""
    example = TaggedText("0", 'a."', ((0, 1), (1, 2), (2, 3)), None)
    spans = Spans(np.array([7, 8]), np.array([[0, 1], [1, 3]]))
    assert tagging._first_pieces(example, spans).tolist() == [0, 1]


def test_the_cache_holds_texts_and_not_tags(tmp_path):
    plain = text_of(["a", "b"], ["O", "B-PER"])
    other = text_of(["a", "b"], ["B-LOC", "O"])
    for _ in range(2):
        for example, labels in ((plain, [0, 1]), (other, [3, 0])):
            tagged = tagging.tag([example], TAGS, word_pieces(), 9, tmp_path)
            assert tagged.labels[tagging.OUTPUT][1:3].tolist() == labels


def test_bad_input():
    with pytest.raises(UserError, match="there is no text"):
        tagging.tag([], TAGS, word_pieces(), 9)
    with pytest.raises(UserError, match="max length is 2, expected 3"):
        tagging.tag([text_of("a", ["O"])], TAGS, word_pieces(), 2)
    with pytest.raises(UserError, match="'B-X' is none of the model's"):
        tagging.tag([text_of("a", ["B-X"])], TAGS, word_pieces(), 9)


def test_a_caller_reads_entities():
    kind = KINDS["token_classification"]
    example = kind.example_of("0", ("Ab, b",))
    assert example.words == ((0, 2), (2, 3), (4, 5))
    tagged = tagging.tag([example], TAGS, word_pieces(), 9)
    outputs = [{tagging.OUTPUT: np.eye(5)[[0, 1, 0, 0, 3, 0]] * 9}]
    (found,) = kind.predictions(None, [example], tagged, outputs)
    assert [(e.text, e.label, e.start, e.end) for e in found.entities] == [
        ("Ab", "PER", 0, 2),
        ("b", "LOC", 4, 5),
    ]
    assert found.entities[0].score > 0.99
