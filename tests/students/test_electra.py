"""ELECTRA's and RoBERTa's students: KerasHub's own, and how they start."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import UserError, students
from tfminilm.compress.prune import require_fit
from tfminilm.compress.vocabulary import trim_vocabulary
from tfminilm.teachers.expose import encoder_calls

SHAPE = {"num_heads": 2, "vocabulary_size": 20, "max_sequence_length": 9}


def electra(num_layers=1, embedding_dim=4, **options):
    sizes = SHAPE | options
    return students.electra(num_layers, 8, embedding_dim=embedding_dim, **sizes)


def test_are_kerashubs_own():
    model = electra()
    assert type(model) is keras_hub.models.ElectraBackbone
    assert set(model.input) == {"token_ids", "segment_ids", "padding_mask"}
    assert model.intermediate_dim == 32
    assert model.token_embedding.embeddings.shape == (20, 4)
    assert tuple(model.embeddings_projection.kernel.shape) == (4, 8)
    assert not hasattr(electra(embedding_dim=8), "embeddings_projection")
    model = students.roberta(1, 8, **SHAPE)
    assert type(model) is keras_hub.models.RobertaBackbone
    assert set(model.input) == {"token_ids", "padding_mask"}
    assert model.intermediate_dim == 32


def test_an_electra_starts_from_its_teacher():
    teacher, student = electra(4), electra(2)
    students.init_from_teacher(student, teacher)
    pairs = [
        (getattr(student, name), getattr(teacher, name))
        for name in ("token_embedding", "embeddings_projection")
    ]
    ours, theirs = (
        [call.layer for call in encoder_calls(model)]
        for model in (student, teacher)
    )
    pairs += zip(ours, theirs[1::2], strict=True)
    for layer, source in pairs:
        for one, other in zip(layer.weights, source.weights, strict=True):
            np.testing.assert_array_equal(
                *map(keras.ops.convert_to_numpy, (one, other))
            )


@pytest.mark.parametrize(("ours", "theirs"), [(4, 8), (8, 4), (4, 6)])
def test_another_width_of_embeddings_is_refused(ours, theirs):
    student, teacher = electra(embedding_dim=ours), electra(2, theirs)
    with pytest.raises(UserError, match=r"cannot initialise|has no layer"):
        students.init_from_teacher(student, teacher)


@pytest.mark.parametrize(
    "change", [{"vocabulary_size": 30}, {"embedding_dim": 6}]
)
def test_a_pruned_one_has_the_teachers_embeddings(change):
    require_fit(electra(), electra(2))
    with pytest.raises(UserError, match="cannot prune a ElectraBackbone"):
        require_fit(electra(), electra(2, **change))


def test_its_vocabulary_is_not_trimmed():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
    tokenizer = keras_hub.models.ElectraTokenizer(words, lowercase=True)
    with pytest.raises(UserError, match="the vocabulary of a ElectraBackbone"):
        trim_vocabulary(electra(), tokenizer, {5})
