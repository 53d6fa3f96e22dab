"""Small random models that are made on the spot."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.teachers import load_backbone, load_tokenizer


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm_roberta"])
def test_they_are_the_same_each_time(kind):
    one, other = (load_backbone(f"tiny:{kind}") for _ in range(2))
    for ours, theirs in zip(
        one.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert any(np.ptp(weight) for weight in one.get_weights())


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm_roberta"])
def test_their_tokenizers_know_letters(kind):
    tokenizer = load_tokenizer(f"tiny:{kind}")
    ids = np.asarray(tokenizer("Abc d."))
    assert len(set(ids)) >= 5
    size = load_backbone(f"tiny:{kind}").vocabulary_size
    assert ids.max() < tokenizer.vocabulary_size() <= size


def test_no_other_is_known():
    with pytest.raises(UserError, match=r"tiny:bert or .*tiny:xlm_ro"):
        load_backbone("tiny:gpt")
    with pytest.raises(UserError, match="no model 'tiny:'"):
        load_tokenizer("tiny:")
