"""A BERT and an XLM-R learn from a DeBERTa-v3, with its tokens."""

import io

import keras
import keras_hub
import numpy as np
import pytest
import sentencepiece

import tfminilm
from tfminilm import UserError, methods, students, teachers
from tfminilm.export.server import hugging_face
from tfminilm.tasks import encode

LENGTH = 12
# KerasHub leaves the file of SentencePiece's model open.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


def tokenizer(text):
    """A small one, laid out as DeBERTa-v3's and trained on a text."""
    content = io.BytesIO()
    lines = next(text.iterdir()).read_text().split("\n\n")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=content, vocab_size=60,
        pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
        unk_piece="[UNK]", pad_id=0, bos_id=1, eos_id=2, unk_id=3,
        hard_vocab_limit=False, num_threads=1, minloglevel=2,
    )  # fmt: skip
    return keras_hub.models.DebertaV3Tokenizer(content.getvalue())


def deberta(rows, seed=0, heads=2):
    model = keras_hub.models.DebertaV3Backbone(
        vocabulary_size=rows, num_layers=2, num_heads=heads, hidden_dim=16,
        intermediate_dim=32, max_sequence_length=32, bucket_size=8, dropout=0.0,
    )  # fmt: skip
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("kernel", "embeddings", "rel_embedding"):
            variable.assign(random.normal(size=variable.shape) * 0.5)
    return model


@pytest.fixture(scope="module")
def teacher(tiny, tmp_path_factory):
    """The teacher as KerasHub's preset, and as a Hugging Face folder."""
    preset, folder = (tmp_path_factory.mktemp(x) for x in ("preset", "folder"))
    tokens = tokenizer(tiny.text)
    model = deberta(tokens.vocabulary_size() + 4)
    model.save_to_preset(str(preset))
    tokens.save_to_preset(str(preset))
    hugging_face.write(model, tokens, folder)
    return {"preset": preset, "folder": folder}


@pytest.mark.parametrize(
    ("form", "kind"), [("preset", "bert"), ("folder", "xlm_roberta")]
)
def test_a_run(form, kind, teacher, tiny, distill, tmp_path):
    run = tmp_path / "run"
    flags = [f"teacher={teacher[form]}", f"student.kind={kind}"]
    flags += ["student.init=random", "train.steps=4"]
    assert distill(run, *(f"--config.{flag}" for flag in flags)) == 0
    student, words = teachers.load_backbone(run), teachers.load_tokenizer(run)
    assert type(words).__name__ == "DebertaV3Tokenizer"
    assert student.vocabulary_size >= words.vocabulary_size()
    texts = ["He was the first.", "at  that time"]
    found, wanted = (
        encode.tokens_of(texts, one)[0].tolist()
        for one in (words, teachers.load_tokenizer(teacher[form]))
    )
    assert found == wanted


@pytest.mark.parametrize("method", [
    methods.MiniLM(),
    pytest.param(
        methods.MiniLMv2(num_relation_heads=4), marks=pytest.mark.slow
    ),
])  # fmt: skip
def test_it_learns_what_the_teacher_attends_to(method):
    """The loss falls, and is zero for a student that is the teacher."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    ids = random.integers(4, 60, (8, LENGTH)).astype("int32")
    x = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": (np.arange(LENGTH) < 9 + ids[:, :1] % 4).astype(
            "int32"
        ),
    }
    student = students.bert(
        1, 16, 2, 32, vocabulary_size=60, max_sequence_length=LENGTH,
        dropout=0.0,
    )  # fmt: skip
    distiller = tfminilm.Distiller(deberta(60), student, method)
    distiller.compile(keras.optimizers.Adam(1e-2))
    losses = distiller.fit(x, epochs=12, batch_size=8, verbose=0)
    losses = losses.history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    same = tfminilm.Distiller(deberta(60), deberta(60), method)
    same.compile(keras.optimizers.SGD(0.0))
    x.pop("segment_ids")
    (loss,) = same.fit(x, batch_size=8, verbose=0).history["loss"]
    assert abs(loss) < 1e-5


def test_it_needs_as_many_heads():
    student = students.bert(1, 16, 4, vocabulary_size=60)
    with pytest.raises(UserError, match="the teacher has 2, the student 4"):
        tfminilm.Distiller(deberta(60), student, methods.MiniLM())
