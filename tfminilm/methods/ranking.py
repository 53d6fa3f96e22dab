"""Ranking: an encoder learns how a teacher scores documents for questions.

MarginMSE (arXiv 2010.02666), list-wise soft targets (arXiv 1503.02531), and
contrast with the other documents of a batch (arXiv 2004.04906).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods.sentence import pooled
from tfminilm.methods.terms import Term, require
from tfminilm.teachers.embedding import POOLINGS, embedding_of
from tfminilm.teachers.expose import head_outputs
from tfminilm.typing import Tensor

_WEIGHTS = ("margin_weight", "listwise_weight", "contrastive_weight")


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Learn the scores of a cross-encoder by the embeddings of an encoder.

    A batch is of groups of `group` rows that follow each other: a question,
    the document that answers it, and others. `y` has a score for each row,
    which a cross-encoder gave its document for the question of its group; that
    of a question itself does not count. With e the pooled last hidden states,
    and s the dot products of a question's and its documents':

        L = margin_weight · mean over others of
                ((s_1 - s_i) - (y_1 - y_i))²                     (MarginMSE)
            + listwise_weight · T² KL(softmax(y / T) ‖ softmax(s / T))
            + contrastive_weight · -log softmax(s / tau) at the right document,
                among all documents of the batch

    The last one needs no scores. No teacher runs: its scores are known
    beforehand, as it reads each pair and the student each text once. A recipe
    has no such batches; `Distiller.fit` in Python takes them.

    Attributes:
        group: rows of a group, 2 or more; MarginMSE and the list need 3.
        margin_weight: the factor of MarginMSE.
        listwise_weight: the factor of the list's divergence.
        contrastive_weight: the factor of the contrast; 0 leaves a loss out.
        temperature: T of the list, above 0.
        contrastive_temperature: tau, above 0.
        normalize: whether e are scaled to length 1, so that s are cosines.
        pooling: "mean" over real tokens, or "cls"; empty for what the
            student's folder says, and the mean if it says nothing.
    """

    reads: ClassVar = "labels"

    group: int = 3
    margin_weight: float = 1.0
    listwise_weight: float = 0.0
    contrastive_weight: float = 0.0
    temperature: float = 1.0
    contrastive_temperature: float = 1.0
    normalize: bool = False
    pooling: str = ""

    def __post_init__(self) -> None:
        for name in _WEIGHTS:
            require(self, name, getattr(self, name) >= 0, "0 or more")
        for name in ("temperature", "contrastive_temperature"):
            require(self, name, getattr(self, name) > 0, "above 0")
        is_one = self.pooling in ("", *POOLINGS)
        require(self, "pooling", is_one, " or ".join(POOLINGS))
        least = 3 if self.margin_weight or self.listwise_weight else 2
        require(self, "group", self.group >= least, f"{least} or more")
        if not any(getattr(self, name) for name in _WEIGHTS):
            raise UserError(
                f"Ranking has no loss left: {', '.join(_WEIGHTS)} are all 0; "
                "set at least one above 0"
            )

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the terms of margins, of lists and of the contrast."""
        pooling = self.pooling or embedding_of(student).pooling
        made: dict[str, tuple[Callable[..., Any], float]] = {
            "margin_mse": (_margin, self.margin_weight),
            "listwise_kl": (
                functools.partial(_listwise, temperature=self.temperature),
                self.listwise_weight,
            ),
            "contrastive": (
                functools.partial(
                    _contrast, temperature=self.contrastive_temperature
                ),
                self.contrastive_weight,
            ),
        }
        return tuple(
            Term(
                name,
                functools.partial(self._loss, loss=loss, pooling=pooling),
                teacher=None,
                student=("hidden_states", -1),
                weight=weight,
            )
            for name, (loss, weight) in made.items()
            if weight
        )

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` where the student has a head."""
        if heads := [*head_outputs(student)]:
            raise UserError(
                "Ranking compares embeddings, and the student gives "
                f"{', '.join(heads)}: give its backbone, in Python, with "
                "batches of groups, which no recipe has"
            )

    def _loss(
        self,
        labels: Tensor,
        states: Tensor,
        padding_mask: Tensor,
        sample_weight: Tensor | None = None,
        *,
        loss: Callable[..., Any],
        pooling: str,
    ) -> Any:
        """Compute a loss of groups; a group weighs what its question does."""
        rows = states.shape[0]
        if rows is not None and rows % self.group:
            raise UserError(
                f"Ranking: the batch has {rows} rows, expected groups of "
                f"{self.group}: a question and its documents"
            )
        embeddings = pooled(states, padding_mask, pooling)[:, 0]
        if self.normalize:
            embeddings = ops.normalize(embeddings, axis=-1)
        groups = ops.reshape(embeddings, (-1, self.group, embeddings.shape[-1]))
        scores = ops.reshape(labels, (-1, self.group))[:, 1:]
        weights = None
        if sample_weight is not None:
            weights = ops.reshape(sample_weight, (-1, self.group))[:, 0]
        return loss(scores, groups[:, 0], groups[:, 1:], weights)


def _scores(questions: Tensor, documents: Tensor) -> Any:
    return ops.einsum("qw,qdw->qd", questions, documents)


def _margin(
    scores: Tensor,
    questions: Tensor,
    documents: Tensor,
    weights: Tensor | None,
) -> Any:
    return losses.margin_mse(scores, _scores(questions, documents), weights)


def _listwise(
    scores: Tensor,
    questions: Tensor,
    documents: Tensor,
    weights: Tensor | None,
    temperature: float,
) -> Any:
    found = _scores(questions, documents)
    return losses.soft_targets(scores, found, temperature, weights)


def _contrast(
    scores: Tensor,
    questions: Tensor,
    documents: Tensor,
    weights: Tensor | None,
    temperature: float,
) -> Any:
    return losses.contrastive(questions, documents, temperature, weights)
