"""Define the model that a caller asks: texts in, predictions out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.manifest_parts import SentenceEmbedding
from tfminilm.inference.runtimes import Runtime
from tfminilm.inference.texts import Row, Texts, rows_of
from tfminilm.tasks.answers import Answers
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.predictions import EmbeddingPrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.similarity import unit
from tfminilm.tasks.task import Task
from tfminilm.tokenizer import Exact
from tfminilm.train.progress import Progress
from tfminilm.train.score import require_labels
from tfminilm.typing import Tokenizer

# Fewer sequences are done before anybody looks.
_WORTH_SHOWING = 64
_LABELS_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Hit:
    """Hold a text that a search found.

    Attributes:
        text: as the corpus has it.
        score: the cosine of its embedding and the query's.
        index: its place in the corpus.
    """

    text: str
    score: float
    index: int


class TextModel:
    """Read texts with a model that was loaded by `tfminilm.load`.

    Attributes:
        source: where it came from.
        model: the Keras model, or what runs the file.
        tokenizer: the KerasHub tokenizer that cuts the texts.
        task: the name of its kind of task; "encoder" if it has no head.
        labels: the names of its classes, if it has some.
        max_length: tokens of the longest sequence that it reads, the special
            ones included. What is longer is cut; of a context, which answers
            are looked for in, all is read, in several windows.
        lengths: in tokens, to which a bundle pads a text; none if to any.
        precision: of its weights and arithmetic.
        embedding: the `pooling`, `normalize` and `prompt` (in front of every
            text, if there is one) of an encoder; None of a model with a head,
            and of a file that was written before files said it.
        prompts: what its folder puts in front of texts, by what they are for,
            such as "query"; an exported file has none but `embedding.prompt`.
    """

    def __init__(
        self,
        source: str,
        runtime: Runtime,
        tokenizer: Tokenizer,
        settings: Settings | None,
        max_length: int,
        embedding: SentenceEmbedding | None = None,
        prompts: Mapping[str, str] | None = None,
    ):
        """Put a model's parts together; `tfminilm.load` does that.

        Args:
            source: where it came from.
            runtime: runs it.
            tokenizer: its own.
            settings: how it was fine-tuned; None for an encoder.
            max_length: tokens of the longest sequence.
            embedding: how an encoder embeds texts; None if not known.
            prompts: what an encoder's folder puts in front of texts, by name.
        """
        self.source = source
        self.embedding = embedding
        self.prompts = dict(prompts or {})
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._runtime = runtime
        self._settings = settings
        self._kind = self._task = None
        if settings is not None:
            self._kind = kind_of(settings)
            self._task = Task(
                settings.task, settings.kind, (), (), settings.labels, texts=()
            )

    @property
    def model(self) -> Any:
        """The Keras model, or what runs the file."""
        return self._runtime.model

    @property
    def task(self) -> str:
        """The name of its kind of task; "encoder" if it has no head."""
        return "encoder" if self._kind is None else self._kind.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes, if it has some."""
        return () if self._settings is None else self._settings.labels

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths to which a bundle pads a text; none if to any."""
        return self._runtime.lengths

    @property
    def precision(self) -> str:
        """The precision of its weights and arithmetic."""
        return self._runtime.precision

    @property
    def reads_pairs(self) -> bool:
        """Tell whether it reads two texts together."""
        if self._kind is None or self._settings is None:
            return False
        return self._kind.reads_pairs(self._settings.num_texts)

    def __repr__(self) -> str:
        labels = list(self.labels[:_LABELS_SHOWN])
        more = ", ..." if len(self.labels) > _LABELS_SHOWN else ""
        parts = [repr(self.source), f"task={self.task!r}"]
        if labels:
            parts.append(f"labels=[{', '.join(map(repr, labels))}{more}]")
        if self.reads_pairs:
            parts.append("reads_pairs=True")
        if self.embedding is not None:
            parts.append(f"pooling={self.embedding.pooling!r}")
            parts.append(f"normalize={self.embedding.normalize}")
            if self.embedding.prompt:
                parts.append(f"prompt={self.embedding.prompt!r}")
        parts.append(f"max_length={self.max_length}")
        if self.lengths:
            parts.append(f"lengths={list(self.lengths)}")
        parts.append(f"precision={self.precision!r}")
        parts.append(f"runtime={self._runtime.name!r}")
        return f"TextModel({', '.join(parts)})"

    def predict(self, texts: Texts, progress: bool = True) -> Any:
        """Return what the model says of a text, or of each of several.

        Args:
            texts: a text or a list of texts; where the model reads two texts
                together, such as a question and its context, a tuple of two or
                a list of tuples.
            progress: whether to show on stderr how far a long list is.

        Returns:
            One of `tasks.predictions`, or a list of them in the texts' order:
            `Prediction`, `LabelsPrediction`, `ScorePrediction`,
            `AnswerPrediction`, `EntitiesPrediction`, or the
            `EmbeddingPrediction` of an encoder.

        Raises:
            UserError: there is no text, one is blank or no text, or they are
                not as many together as the model reads.
        """
        if self._kind is None:
            texts = _many(texts)
        rows, is_single = rows_of(texts, self.reads_pairs)
        found = self._predict(rows, progress)
        return found[0] if is_single else found

    @property
    def embeds(self) -> bool:
        """Tell whether it is an encoder, which embeds texts."""
        return self._kind is None

    @property
    def counts_quickly(self) -> bool:
        """Tell whether `token_counts` of a text takes less than 0.1 ms."""
        return isinstance(self.tokenizer, Exact)

    def token_counts(self, rows: Sequence[Row]) -> list[int]:
        """Return how many tokens it reads of each text, or of each two.

        Those of a sequence: what is longer is cut, or read in several.

        Args:
            rows: each with one text, or two that are read together.
        """
        return self._encode(rows).lengths.tolist()

    def outputs(
        self, task: Task, examples: Sequence[Any], progress: bool = True
    ) -> tuple[Encoded, list[Any]]:
        """Return a task's examples as token ids, and the outputs for each.

        Args:
            task: what the model was fine-tuned on, or a file of the same
                labels.
            examples: of one split.
            progress: as `predict` takes it.

        Returns:
            The sequences, and for each an array `[outputs]` or a dict of
            arrays, as `Kind.decode` takes them.

        Raises:
            UserError: the model is none for the task, or there are no
                examples.
        """
        settings = self._settings
        if settings is None:
            raise UserError(
                f"{self.source} is an encoder without a head for {task.name}: "
                "expected what tfminilm finetune wrote"
            )
        require_labels(task, settings, self.source)
        encoded = kind_of(task).encode(task, examples, self.tokenizer, settings)
        return encoded, self._run(encoded, progress)

    def answers(
        self, task: Task, examples: Sequence[Any], progress: bool = True
    ) -> Answers:
        """Return the answers to a task's examples, for `tasks.judging`.

        Args:
            task: as `outputs` takes it.
            examples: of one split, with labels.
            progress: as `predict` takes it.

        Raises:
            UserError: the model is none for the task, there are no examples,
                or one has no label.
        """
        if not all(example.has_label for example in examples):
            raise UserError(
                f"{task.name}: the examples have no labels to judge "
                f"{self.source} by; expected a split that has them"
            )
        encoded, outputs = self.outputs(task, examples, progress)
        assert self._settings is not None
        return kind_of(task).answers(
            task, examples, encoded, outputs, self._settings
        )

    def score(
        self, task: Task, examples: Sequence[Any], decoded: Sequence[Any]
    ) -> dict[str, float]:
        """Score decoded outputs by the task's metrics.

        Args:
            task: whose metrics.
            examples: with labels.
            decoded: what `Kind.decode` made of `outputs`.
        """
        assert self._settings is not None
        kind = kind_of(task)
        return kind.score(task, examples, decoded, self._settings).metrics

    def embed(
        self, texts: Texts, progress: bool = True, prompt: str | None = None
    ) -> np.ndarray:
        """Return the embedding of a text, or of each of several.

        Args:
            texts: a text or a list of texts.
            progress: whether to show on stderr how far a long list is.
            prompt: what stands in front of each, such as `prompts["query"]`;
                "" for nothing, and None for `embedding.prompt`.

        Returns:
            float32 `[dim]`, or `[texts, dim]`. Pooled, and of length 1 or
            not, as the model's folder says.

        Raises:
            UserError: the model is no encoder, or a text cannot be used.
        """
        if self._kind is not None:
            raise UserError(
                f"{self.source} is a model for {self.task} and embeds no "
                "texts: load an encoder, or use predict"
            )
        rows, is_single = rows_of(_many(texts), is_pair=False)
        encoded = self._encode(rows, prompt)
        vectors = np.stack(self._run(encoded, progress))
        return vectors[0] if is_single else vectors

    def similarity(self, first: Texts, second: Texts) -> Any:
        """Return the cosines of texts' embeddings.

        Args:
            first: a text or a list of texts.
            second: the same.

        Returns:
            A number for two texts; else float32 `[first, second]`, without
            the dimension of what is a single text.

        Raises:
            UserError: the model is no encoder, or a text cannot be used.
        """
        vectors = [unit(self.embed(texts)) for texts in (first, second)]
        cosines = vectors[0] @ vectors[1].T
        return cosines if cosines.ndim else float(cosines)

    def search(
        self,
        query: Texts,
        corpus: Sequence[str],
        k: int = 5,
        embeddings: np.ndarray | None = None,
    ) -> Any:
        """Find the texts that are nearest in meaning.

        Args:
            query: a text or a list of texts.
            corpus: the texts to search.
            k: how many to find.
            embeddings: the corpus' own, if `embed` has made them before.

        Returns:
            A list of up to `k` `Hit`s, the nearest first; for a list of
            queries a list of such lists.

        Raises:
            UserError: the model is no encoder, a text cannot be used, or
                there is not one embedding for each text.
        """
        if k < 1:
            raise UserError(f"k is {k}, expected 1 or more")
        corpus = list(corpus) if not isinstance(corpus, str) else [corpus]
        if embeddings is None:
            embeddings = self.embed(corpus)
        elif embeddings.shape[:1] != (len(corpus),) or embeddings.ndim != 2:
            raise UserError(
                f"embeddings of shape {embeddings.shape} for {len(corpus)} "
                "texts: expected a row for each, as embed gives them"
            )
        queries = unit(np.atleast_2d(self.embed(query)))
        cosines = queries @ unit(embeddings).T
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        hits = [
            [Hit(corpus[i], float(row[i]), int(i)) for i in places]
            for row, places in zip(cosines, best, strict=True)
        ]
        return hits[0] if isinstance(query, str) else hits

    def _predict(self, rows: Sequence[Row], progress: bool) -> list[Any]:
        kind, task, settings = self._kind, self._task, self._settings
        if kind is None or task is None or settings is None:
            encoded = self._encode(rows)
            vectors = self._run(encoded, progress)
            cuts = encoded.cut_rows.tolist()
            return list(map(EmbeddingPrediction, vectors, cuts))
        examples = [
            kind.example_of(str(number), row) for number, row in enumerate(rows)
        ]
        encoded = kind.encode(task, examples, self.tokenizer, settings)
        outputs = self._run(encoded, progress)
        return kind.predictions(settings, examples, encoded, outputs)

    def _encode(
        self, rows: Sequence[Row], prompt: str | None = None
    ) -> Encoded:
        if prompt is None and self.embedding is not None:
            prompt = self.embedding.prompt
        if prompt:
            rows = [(prompt + row[0], *row[1:]) for row in rows]
        return encode_texts(rows, self.tokenizer, self.max_length)

    def _run(self, encoded: Encoded, progress: bool) -> list[Any]:
        if not progress or len(encoded) < _WORTH_SHOWING:
            return self._runtime.run(encoded, lambda done: None)
        total = len(encoded)
        with Progress() as bars, bars.pieces("sequences") as show:
            return self._runtime.run(
                encoded, lambda done: show("predicting", done, total)
            )


def _many(texts: Texts) -> Texts:
    """Return a tuple as a list: an encoder reads no two texts together."""
    return [*texts] if isinstance(texts, tuple) else texts
