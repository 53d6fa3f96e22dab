"""An XLM-R that embeds texts, laid out as multilingual-E5's folder."""

import json

import make_multilingual as made
import numpy as np

from tfminilm import teachers
from tfminilm.export.check import calibration, parity
from tfminilm.tasks import encode
from tfminilm.teachers.embedding import TextEmbedding, known_embedding


def require_alike(folder, golden):
    """Compare a folder's ids and embeddings with the library's."""
    model = teachers.load_backbone(folder)
    words = teachers.load_tokenizer(folder)
    said = TextEmbedding(
        "mean", normalize=True, max_length=made.LENGTH, prompts=made.PROMPTS
    )
    assert known_embedding(model) == said
    texts = [(text,) for text in made.TEXTS]
    rows = encode.encode_texts(texts, words, made.LENGTH)
    ends = np.cumsum(rows.lengths)[:-1]
    ids = [row.tolist() for row in np.split(rows.token_ids, ends)]
    assert ids == json.loads(str(golden["ids"]))
    assert max(map(len, ids)) == made.LENGTH
    batch = calibration.batch(words, texts, made.LENGTH)
    found = parity.keras_outputs(model, batch)["sentence_embedding"]
    np.testing.assert_allclose(found, golden["embeddings"], atol=1e-5)


def test_it_embeds_as_the_library_does():
    golden = np.load(made.HERE / "golden.npz")
    near = golden["embeddings"] @ golden["embeddings"].T
    assert near[~np.eye(len(near), dtype=bool)].max() < 0.999
    require_alike(made.MODEL, golden)


def test_the_library_embeds_alike_with_what_is_written(tmp_path):
    made.write(tmp_path / "written")
    golden = np.load(made.HERE / "written.npz")
    # Otherwise it was another folder that the library has read: make the
    # golden file again.
    assert made.sentences.digest(tmp_path / "written") == str(golden["digest"])
    require_alike(tmp_path / "written", golden)
