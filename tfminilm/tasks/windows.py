"""Cut long texts into windows, and find answers in the logits of windows.

A text that does not fit behind its question is read in windows that overlap
(Devlin et al. 2019, section 4.2 and the released code). Every token knows its
characters in the text as it was, so that an answer is a part of the text, not
a string of tokens.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.tasks import encode
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import QAExample
from tfminilm.tasks.spans import Spans, span_tokenizer
from tfminilm.tasks.words import Words
from tfminilm.typing import Tokenizer

MAX_QUESTION_TOKENS = 64
DOC_STRIDE = 128
MAX_ANSWER_TOKENS = 30
NUM_BEST = 20


@dataclasses.dataclass(frozen=True)
class Windows(Encoded):
    """Windows `[CLS] question [SEP] a part of the context [SEP]`.

    Each window is a sequence. The labels `start_logits` and `end_logits` are
    the places of the first gold answer, both 0 (`[CLS]`) where the window
    does not hold it. Window w belongs to example
    `question[w]`; `count[w]` tokens from its place `first[w]` on are the
    context's, and stand for the characters `spans[token[w]]`,
    `spans[token[w] + 1]`, ... of it.
    """

    question: np.ndarray  # int32 [windows]
    first: np.ndarray  # int32 [windows]
    count: np.ndarray  # int32 [windows]
    token: np.ndarray  # int64 [windows]
    spans: np.ndarray  # int32 [tokens of all contexts, 2]

    def characters(self, window: int, start: int, end: int) -> tuple[int, int]:
        """Return the characters of the tokens from `start` to `end`, inclusive.

        Returns:
            The first character and the one behind the last.
        """
        shift = int(self.token[window]) - int(self.first[window])
        return (
            int(self.spans[start + shift, 0]),
            int(self.spans[end + shift, 1]),
        )


def make_windows(
    examples: Sequence[QAExample],
    tokenizer: Tokenizer,
    max_length: int,
    doc_stride: int = DOC_STRIDE,
    cache_dir: str | os.PathLike | None = None,
) -> Windows:
    """Cut the examples' contexts into windows.

    Args:
        examples: questions with their contexts.
        tokenizer: a KerasHub tokenizer that `span_tokenizer` knows.
        max_length: tokens of the longest window, the special ones included.
        doc_stride: tokens from the start of a window to the next one's.
        cache_dir: where the arrays are kept; nowhere if `None`.

    Raises:
        UserError: there is no example, a context is blank, `max_length`
            leaves too little room behind a question, or the tokenizer gives
            no offsets.
    """
    if not examples:
        raise UserError("there is no question to encode")
    if doc_stride < 1:
        raise UserError(f"doc stride is {doc_stride}, expected 1 or more")
    arrays = encode.cached(
        cache_dir,
        lambda: {
            "source": encode.digest(_parts(examples)),
            "tokenizer": cache.tokenizer_identity(tokenizer),
            "max_length": max_length,
            "doc_stride": doc_stride,
            "rules": encode.code_of(__file__, encode.__file__),
        },
        lambda: _cut(examples, tokenizer, max_length, doc_stride),
    )
    sides = ("start", "end")
    return Windows(
        **{name: arrays[name] for name in arrays if name not in sides},
        labels={f"{side}_logits": arrays[side] for side in sides},
        pad_id=encode.pad_id(tokenizer),
    )


def _parts(examples: Sequence[QAExample]) -> Iterable[str]:
    """Yield all texts and numbers that windows and their labels depend on."""
    for example in examples:
        yield from (example.question, example.context, *example.answers[:1])
        yield str(example.answer_starts[:1])


def _cut(
    examples: Sequence[QAExample],
    tokenizer: Tokenizer,
    max_length: int,
    doc_stride: int,
) -> dict[str, np.ndarray]:
    """Return the arrays of `Windows`, and the labels "start" and "end"."""
    start_id, end_id, between = encode.special_ids(tokenizer)
    tokenize = span_tokenizer(tokenizer)
    contexts, number_of, first_token = _contexts(examples, tokenize)
    questions = tokenize([example.question for example in examples])
    head, tail = np.array([start_id], np.int32), np.array([end_id], np.int32)
    middle = np.full(between, end_id, np.int32)
    pieces: list[np.ndarray] = []
    rows = []
    for index, example in enumerate(examples):
        question = questions[index].ids[:MAX_QUESTION_TOKENS]
        number = number_of[example.context]
        ids, spans = contexts[number]
        room = max_length - len(question) - 2 - between
        _require_room(example, room, len(ids), max_length, doc_stride)
        gold = _gold_tokens(example, spans)
        first = 1 + len(question) + between
        for at in _starts(len(ids), room, doc_stride):
            part = ids[at : at + room]
            pieces += [head, question, middle, part, tail]
            label = _label(gold, at, len(part), first)
            token = first_token[number] + at
            rows.append((index, first, len(part), token, *label))
    columns = ("question", "first", "count", "token", "start", "end")
    arrays = dict(zip(columns, np.array(rows).T, strict=True))
    long = np.array([len(each.ids) > MAX_QUESTION_TOKENS for each in questions])
    return _segmented(arrays["first"], arrays["count"]) | {
        "is_cut": long[arrays["question"]],
        "token_ids": np.concatenate(pieces),
        "spans": np.concatenate([spans for _, spans in contexts]),
        **{
            name: values if name == "token" else values.astype(np.int32)
            for name, values in arrays.items()
        },
    }


def _require_room(
    example: QAExample, room: int, size: int, max_length: int, doc_stride: int
) -> None:
    """Refuse a context without tokens, or without room behind its question."""
    if not size:
        raise UserError(
            f"the text of question {example.id} is blank: expected words "
            "in which an answer may be"
        )
    if room < min(doc_stride, size):
        raise UserError(
            f"max length {max_length} leaves {room} tokens behind the "
            f"question {example.id}, expected the doc stride "
            f"({doc_stride}) or more"
        )


def _segmented(first: np.ndarray, count: np.ndarray) -> dict[str, np.ndarray]:
    """Return where windows lie, and segment 1 for each context's part."""
    offsets = np.concatenate([[0], np.cumsum(first + count + 1)])
    segment_ids = np.zeros(offsets[-1], np.int8)
    segment_ids[encode.runs(offsets[:-1] + first, count + 1)] = 1
    return {"offsets": offsets, "segment_ids": segment_ids}


def _contexts(
    examples: Sequence[QAExample],
    tokenize: Callable[[Sequence[str]], list[Spans]],
) -> tuple[list[Spans], dict[str, int], np.ndarray]:
    """Tokenise each distinct context once.

    Returns:
        The contexts' tokens, each context's number by its text, and the
        number of tokens before each context.
    """
    texts = list(dict.fromkeys(example.context for example in examples))
    contexts = tokenize(texts)
    first = np.concatenate([[0], np.cumsum([len(one.ids) for one in contexts])])
    return contexts, {text: i for i, text in enumerate(texts)}, first


def _starts(size: int, room: int, doc_stride: int) -> Iterable[int]:
    """Return where windows of `room` tokens start.

    The last one holds the end of the context.
    """
    last = max(0, size - room)
    return range(0, last + doc_stride, doc_stride) if last else (0,)


def _gold_tokens(
    example: QAExample, spans: np.ndarray
) -> tuple[int, int] | None:
    """Return the first and the last token of the first gold answer."""
    if example.is_impossible or not example.answers or not len(spans):
        return None
    start = example.answer_starts[0]
    end = start + len(example.answers[0])
    # The first token that ends behind the answer's start, and the last token
    # that starts before its end.
    first = int(np.searchsorted(spans[:, 1], start, side="right"))
    last = int(np.searchsorted(spans[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None


def _label(
    gold: tuple[int, int] | None, at: int, size: int, first: int
) -> tuple[int, int]:
    """Return the answer's places in a window, or `[CLS]` twice."""
    if gold is None or gold[0] < at or gold[1] >= at + size:
        return 0, 0
    return gold[0] - at + first, gold[1] - at + first


@dataclasses.dataclass(frozen=True)
class Answer:
    """Hold a model's answer to a question.

    `texts` and `scores` are its best guesses, the best one first; a score is
    the sum of two logits. `null_score` is that of "there is no answer".
    `spans` are the guesses' first characters in the context, and those behind
    their last.
    """

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    null_score: float
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def no_answer_score(self) -> float:
        """Return how much higher "no answer" scores than the best answer."""
        best = self.scores[0] if self.scores else self.null_score
        return self.null_score - best

    def text(self, null_threshold: float | None) -> str:
        """Return the best guess; "" if no answer is likelier.

        Args:
            null_threshold: the largest `no_answer_score` at which the guess
                is given; `None` where every question has an answer.
        """
        if not self.texts:
            return ""
        is_null = (
            null_threshold is not None and self.no_answer_score > null_threshold
        )
        return "" if is_null else self.texts[0]


def answers(
    examples: Sequence[QAExample],
    windows: Windows,
    logits: Mapping[int, tuple[np.ndarray, np.ndarray]],
    num_best: int = NUM_BEST,
    max_answer_tokens: int = MAX_ANSWER_TOKENS,
) -> list[Answer]:
    """Return the best answers to each question over all of its windows.

    An answer has whole words: one that begins or ends inside a word, as a
    token may, is extended to the whole word.

    Args:
        examples: the questions that `windows` were made of.
        windows: all their windows.
        logits: of each window the start's and the end's, `[length]` each.
        num_best: starts and ends that are tried in a window, and answers.
        max_answer_tokens: tokens of the longest answer.
    """
    guesses: list[dict[tuple[int, int], float]] = [{} for _ in examples]
    null = np.full(len(examples), np.inf)
    for window in range(len(windows)):
        start, end = logits[window]
        question = int(windows.question[window])
        null[question] = min(null[question], float(start[0] + end[0]))
        first, count = int(windows.first[window]), int(windows.count[window])
        inside = slice(first, first + count)
        for score, place, stop in _best_spans(
            start[inside], end[inside], num_best, max_answer_tokens
        ):
            span = windows.characters(window, place + first, stop + first)
            best = guesses[question].get(span, -np.inf)
            guesses[question][span] = max(best, score)
    return [
        _answer(example.context, spans, float(null_score), num_best)
        for example, spans, null_score in zip(
            examples, guesses, null, strict=True
        )
    ]


def _best_spans(
    start: np.ndarray, end: np.ndarray, num_best: int, longest: int
) -> Iterable[tuple[float, int, int]]:
    starts = np.argsort(-start, kind="stable")[:num_best]
    ends = np.argsort(-end, kind="stable")[:num_best]
    size = ends[None, :] - starts[:, None] + 1
    scores = start[starts][:, None] + end[ends][None, :]
    rows, columns = np.nonzero((size >= 1) & (size <= longest))
    scores = scores[rows, columns]
    order = np.argsort(-scores, kind="stable")[:num_best]
    return zip(
        scores[order].tolist(),
        starts[rows[order]].tolist(),
        ends[columns[order]].tolist(),
        strict=True,
    )


def _answer(
    context: str,
    guesses: Mapping[tuple[int, int], float],
    null_score: float,
    num_best: int,
) -> Answer:
    best = sorted(guesses.items(), key=lambda item: (-item[1], item[0]))
    words = Words(context)
    whole: dict[tuple[int, int], float] = {}
    for span, score in best[:num_best]:
        start, end = words.whole(*span)
        if start < end:
            whole.setdefault((start, end), score)
    return Answer(
        tuple(context[start:end] for start, end in whole),
        tuple(whole.values()),
        null_score,
        tuple(whole),
    )
