"""Folders and tokenizers of each family, with the golden's vocabularies."""

import make_token_ids as made
import numpy as np
import pytest

from tfminilm.tasks import encode


def pytest_collection_modifyitems(items):
    # KerasHub leaves the file of SentencePiece's model open.
    mark = pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    )
    for item in items:
        item.add_marker(mark)


@pytest.fixture(params=made.FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def folder_of(tmp_path):
    """A function that copies a family's Hugging Face folder."""

    def make(family):
        path = made.copy(family, tmp_path / family)
        for file in path.iterdir():
            file.chmod(0o644)
        (path / "model.safetensors").touch()  # Nothing here reads it.
        return path

    return make


@pytest.fixture
def ids_of():
    """A function that gives the ids of texts, each a list."""

    def run(tokenizer, lines):
        flat, lengths = encode.tokens_of(list(lines), tokenizer)
        ends = np.cumsum(lengths)[:-1]
        return [part.tolist() for part in np.split(flat, ends)]

    return run


@pytest.fixture
def lines():
    return made.LINES
