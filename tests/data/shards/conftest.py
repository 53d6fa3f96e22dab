"""A text whose every word stands in one document only, and its shards."""

import itertools
import string

import numpy as np
import pytest

WORDS = [
    "".join(w) for w in itertools.product(string.ascii_lowercase, repeat=3)
]
WORDS = WORDS[:3000]
IN_PROCESS = ["--direct_running_mode=in_memory"]


@pytest.fixture(scope="session")
def tokenizer(make_tokenizer):
    """Word N has the id 5 + N, a full stop 3005."""
    return make_tokenizer([*WORDS, "."])


@pytest.fixture(scope="session")
def model(tokenizer, tmp_path_factory):
    """A folder of the tokenizer's, with the least model to it."""
    import keras_hub

    folder = tmp_path_factory.mktemp("model")
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=1,
        num_heads=1,
        hidden_dim=2,
        intermediate_dim=2,
        max_sequence_length=16,
    )
    backbone.save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))
    return str(folder)


def write_text(folder):
    """300 documents of two paragraphs of a sentence, the first 30 twice."""
    folder.mkdir()
    documents = []
    for words in np.arange(3000).reshape(300, 2, 5):
        lines = [" ".join(WORDS[i] for i in s) + "." for s in words]
        documents.append("\n".join(line.capitalize() for line in lines))
    (folder / "a.txt").write_text("\n\n".join(documents[:150]))
    (folder / "b.txt").write_text("\n\n".join(documents[150:]) + "\n")
    (folder / "c.txt").write_text("\n\n".join(documents[:30]))
    return folder


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "text")


@pytest.fixture(scope="session")
def make_shards(model):
    """`make_shards(text, folder, **settings)`; in about six parts."""
    from tfminilm.data import shards

    def make(text, folder, beam_flags=IN_PROCESS, **settings):
        chosen = {
            "tokenizer": model,
            "sequence_length": 16,
            "held_out_fraction": 0.2,
            "shard_megabytes": 0.0025,
        } | settings
        chosen = shards.Settings(str(text), **chosen)
        return shards.prepare(chosen, folder, beam_flags=beam_flags)

    return make


@pytest.fixture(scope="session")
def prepared(make_shards, tmp_path_factory):
    """Shards and their text. Shared: tests leave them as they are."""
    place = tmp_path_factory.mktemp("prepared")
    folder = place / "shards"
    make_shards(write_text(place / "text"), folder)
    return folder


@pytest.fixture(scope="session")
def documents_in():
    """`documents_in(token_ids)`: the numbers of those with tokens there."""

    def find(token_ids):
        tokens = np.unique(token_ids)
        return {(t - 5) // 10 for t in tokens.tolist() if 5 <= t < 3005}

    return find
