"""Compute exact match and F1 of answers, as SQuAD and MLQA define them.

Rajpurkar et al. 2016 (arXiv:1606.05250) and 2018 (arXiv:1806.03822), Lewis et
al. 2020 (arXiv:1910.07475).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import normalise
from tfminilm.tasks.example import QAExample

_Scores = dict[str, float]


def exact(prediction: str, gold: str, language: str | None = None) -> float:
    """Return 1 if the two are the same once normalised, else 0.

    Args:
        language: MLQA's rules for that language; SQuAD's if None.
    """
    normalised = _normaliser(language)
    return float(normalised(prediction) == normalised(gold))


def f1(prediction: str, gold: str, language: str | None = None) -> float:
    """Return F1 of the two as bags of normalised words, 0 to 1."""
    normalised = _normaliser(language)
    predicted = normalised(prediction).split()
    wanted = normalised(gold).split()
    shared = (Counter(predicted) & Counter(wanted)).total()
    if shared == 0:
        return 0.0
    precision = shared / len(predicted)
    recall = shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def score(
    examples: Sequence[QAExample],
    predictions: Mapping[str, str],
    no_answer_probs: Mapping[str, float] | None = None,
    language: str | None = None,
) -> dict[str, float]:
    """Score predictions; of several gold answers the best match counts.

    The rules of SQuAD 1.1 and MLQA, and those of SQuAD 2.0 if a question is
    impossible or `no_answer_probs` are given. They differ in gold answers such
    as "." of which nothing is left once normalised: 2.0 does not count them.

    Args:
        examples: the questions.
        predictions: the answer to each question by its id; "" says that there
            is none. Ids that no question has are ignored.
        no_answer_probs: for each question how sure it is that it has no
            answer, on any scale, for the search of the best threshold.
        language: of the answers, for MLQA's rules; SQuAD's if None.

    Returns:
        In percent `exact` and `f1`, and `total`, a count. If some questions
        are impossible the same as `HasAns_exact`, ... and `NoAns_exact`, ...
        (those of no question are left out). With `no_answer_probs` also
        `best_exact` and `best_f1`, and `best_exact_thresh` and
        `best_f1_thresh`: the greatest probability at which the answer is
        still given.

    Raises:
        UserError: there are no questions, or one has no prediction or no
            probability, or a probability is NaN.
    """
    if not examples:
        raise UserError("there are no questions to score")
    _check(examples, predictions, "prediction")
    some_impossible = any(example.is_impossible for example in examples)
    version_2 = some_impossible or no_answer_probs is not None
    exacts = _best(exact, examples, predictions, language, version_2)
    f1s = _best(f1, examples, predictions, language, version_2)
    result = _mean(exacts, f1s, [example.id for example in examples])
    if some_impossible:
        result |= _by_answerability(exacts, f1s, examples)
    if no_answer_probs is None:
        return result
    _check(examples, no_answer_probs, "probability of no answer")
    for name, scores in (("exact", exacts), ("f1", f1s)):
        result[f"best_{name}"], result[f"best_{name}_thresh"] = _best_threshold(
            examples, predictions, scores, no_answer_probs
        )
    return result


def each(
    examples: Sequence[QAExample],
    predictions: Sequence[str],
    language: str | None = None,
    has_no_answers: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return exact match and F1 of each question, as fractions `[questions]`.

    Args:
        examples: the questions.
        predictions: the answer to each; "" says that there is none.
        language: of the answers, for MLQA's rules; SQuAD's if None.
        has_no_answers: whether SQuAD 2.0's rules count even where no question
            is impossible.
    """
    by_id = {
        example.id: text
        for example, text in zip(examples, predictions, strict=True)
    }
    version_2 = has_no_answers or any(one.is_impossible for one in examples)
    exacts = _best(exact, examples, by_id, language, version_2)
    f1s = _best(f1, examples, by_id, language, version_2)
    columns = [[of[one.id] for one in examples] for of in (exacts, f1s)]
    return np.array(columns[0], float), np.array(columns[1], float)


def _normaliser(language: str | None) -> Callable[[str], str]:
    if language is None:
        return normalise.squad_answer
    return lambda answer: normalise.mlqa_answer(answer, language)


def _best(
    measure: Callable[[str, str, str | None], float],
    examples: Sequence[QAExample],
    predictions: Mapping[str, str],
    language: str | None,
    version_2: bool,
) -> _Scores:
    """Return each question's score against the gold answer it fits best."""
    normalised = _normaliser(language)
    scores = {}
    for example in examples:
        prediction = predictions[example.id]
        golds: Sequence[str] = example.answers
        if version_2:
            golds = [gold for gold in golds if normalised(gold)]
        if golds:
            scores[example.id] = max(
                measure(prediction, gold, language) for gold in golds
            )
        else:
            scores[example.id] = exact(prediction, "", language)
    return scores


def _mean(exacts: _Scores, f1s: _Scores, ids: Sequence[str]) -> _Scores:
    if not ids:
        return {}
    total = len(ids)
    return {
        "exact": 100 * sum(exacts[name] for name in ids) / total,
        "f1": 100 * sum(f1s[name] for name in ids) / total,
        "total": total,
    }


def _by_answerability(
    exacts: _Scores, f1s: _Scores, examples: Sequence[QAExample]
) -> _Scores:
    """Return the means over questions with, and over those without answer."""
    means: _Scores = {}
    for prefix, impossible in (("HasAns_", False), ("NoAns_", True)):
        ids = [e.id for e in examples if e.is_impossible == impossible]
        part = _mean(exacts, f1s, ids)
        means |= {prefix + name: value for name, value in part.items()}
    return means


def _best_threshold(
    examples: Sequence[QAExample],
    predictions: Mapping[str, str],
    scores: _Scores,
    probs: Mapping[str, float],
) -> tuple[float, float]:
    """Return the best score in percent, and the threshold that gives it.

    It starts where no question is answered, and lets the answers in one by
    one, those first of which the model is surest. As in the official script,
    also between questions of the same probability.
    """
    current = best = float(sum(example.is_impossible for example in examples))
    threshold = 0.0
    for example in sorted(examples, key=lambda example: probs[example.id]):
        if not example.is_impossible:
            current += scores[example.id]
        elif predictions[example.id]:
            current -= 1
        if current > best:
            best = current
            threshold = probs[example.id]
    return 100 * best / len(examples), float(threshold)


def _check(examples: Sequence[QAExample], values: Mapping, what: str) -> None:
    missing = [example.id for example in examples if example.id not in values]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(examples)} questions have no {what}, the "
            f"first is {missing[0]!r}"
        )
    for example in examples:
        value = values[example.id]
        if isinstance(value, float) and math.isnan(value):
            raise UserError(f"question {example.id!r}: the {what} is NaN")
