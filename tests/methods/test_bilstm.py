"""Distilled BiLSTM: its logits are to be the teacher's."""

import numpy as np
import pytest

import tfminilm
from tfminilm.methods import BiLSTMSoft
from tfminilm.students.bilstm_model import BiLSTMClassifier


@pytest.fixture(scope="module", params=[False, True], ids=["one", "pairs"])
def student(request):
    backbone = tfminilm.students.bilstm(
        100, 8, 6, 10, pairs=request.param, dropout=0.0
    )
    return BiLSTMClassifier(backbone, 3)


def test_the_loss_is_the_papers(student, heads, make_batch, outputs, evaluate):
    teacher = heads("classifier")[0]
    batch = make_batch(teacher)
    batch["segment_ids"] = np.cumsum(batch["segment_ids"], 1).clip(0, 1)
    batch["segment_ids"] = batch["segment_ids"].astype("int32")
    read = {name: batch[name] for name in student.input}
    theirs, ours = outputs(teacher, batch), outputs(student, read)
    squares = np.mean((theirs - ours) ** 2)
    logs = evaluate(BiLSTMSoft(), teacher, student, batch)
    assert logs == pytest.approx(
        {"logits_mse": squares, "loss": squares}, rel=1e-4
    )


def test_needs_the_same_head(student, heads, make_encoder, refusal):
    method = BiLSTMSoft()
    assert "without a head" in refusal(method, make_encoder(), student)
    assert "without a head" in refusal(
        method, heads("classifier")[0], student.backbone
    )
    two = heads("classifier", num_classes=2)[0]
    assert "logits of 2 classes" in refusal(method, two, student)
