"""What a manifest says of a model, and of how questions are read."""

import types

import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import contents
from tfminilm.export.target import FORMATS, OF_HUB, Target
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import TextEmbedding, set_embedding

MODEL = types.SimpleNamespace(
    vocabulary_size=10, num_layers=1, num_heads=1, hidden_dim=4,
    count_params=lambda: 100,
)  # fmt: skip


def answering(lengths, doc_stride):
    settings = Settings("squad", "qa", (), 384, doc_stride)
    target = Target(lengths=lengths)
    identity = contents.identity(MODEL, target, settings, "")
    return identity.question_answering


def test_windows_share_half_of_their_text():
    # 64 tokens of a question and 4 special ones leave 28.
    assert answering((96, 32), 128).document_stride == 14
    assert answering((96,), 5).document_stride == 5
    assert answering((384,), 128).document_stride == 128


def test_no_room_behind_a_question():
    with pytest.raises(UserError, match=r"\(8, 69\), expected one of 70 or"):
        answering((8, 69), 128)
    assert answering((8, 70), 128).document_stride == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_models_of_another_number_of_segments(count):
    model = types.SimpleNamespace(**vars(MODEL), num_segments=count)
    if count > 1:
        identity = contents.identity(model, Target(), None, "")
        assert identity.model.hidden_dim == 4
        return
    for kind in FORMATS:
        target = Target(format=kind)
        if kind in OF_HUB:
            contents.identity(model, target, None, "")
            continue
        with pytest.raises(UserError, match=f"num_segments=1 as {kind}: expec"):
            contents.identity(model, target, None, "")


@pytest.mark.parametrize("embedding", [None, ("mean", True), ("cls", False)])
def test_how_an_encoder_embeds(embedding):
    model = types.SimpleNamespace(**vars(MODEL))
    if embedding:
        set_embedding(model, TextEmbedding(*embedding))
    identity = contents.identity(model, Target(), None, "")
    said = identity.sentence_embedding
    assert (said.pooling, said.normalize) == (embedding or ("mean", False))
    settings = Settings("sst2", "classification", ("bad", "good"), 128)
    head = types.SimpleNamespace(backbone=model, **vars(MODEL))
    identity = contents.identity(head, Target(), settings, "")
    assert identity.sentence_embedding is None
