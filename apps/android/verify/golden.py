"""The folder of golden vectors that the app's tests read."""

import functools
import itertools
import pathlib
import shutil
from collections.abc import Sequence

import apk
import bundles
import labels
import texts
import tools
import vectors
import wrong_models

_TOKENS = {
    "encoder": "tokens_bert.jsonl",
    "keras_hub": "tokens_keras_hub.jsonl",
}
_EMBEDDED, _ADVERSARIAL = 2000, 4000
# Of each precision, as a processor that is emulated runs them as well.
_SENTENCES, _QUESTIONS = 40, 10
_LABELLED = 400
_PER_ROW = tools.HERE / "per_row_scales" / "bundle"
_CASES = tools.HERE.parents[2] / "tests" / "export" / "manifest_cases.json"
TASKS = (
    *("encoder", "classification", "pairs"),
    *("question_answering", "multilingual"),
)


def write(
    given: Sequence[pathlib.Path], data: pathlib.Path | None
) -> pathlib.Path:
    """Write bundles and vectors of all tasks, if something is new.

    Args:
        given: bundles to take instead of the small ones of their tasks.
        data: a folder of real texts (XNLI, Wikipedia, SST-2, SQuAD), for a
            long run; else what every installation has.
    """
    own, *code = (
        tools.HERE / f"{name}.py"
        for name in ("bundles", "texts", "vectors", "golden", "labels")
    )
    inputs = [own, code[0], *bundles.PYTHON]
    small = apk.step("small", inputs, bundles.write_small)
    write_precisions = functools.partial(bundles.write_precisions, tasks=TASKS)
    precisions = apk.step("precisions", inputs, write_precisions)
    labelled = apk.step("labels", [own, code[3], *bundles.PYTHON], labels.write)
    wrong = apk.step(
        "wrong_models", [tools.HERE / "wrong_models.py"], wrong_models.write
    )

    def build(folder: pathlib.Path) -> None:
        shutil.copytree(small, folder / "small")
        chosen = {task: small / task for task in TASKS}
        chosen["keras_hub"] = small / "keras_hub"
        chosen |= {vectors.name_of(bundle): bundle for bundle in given}
        for task, bundle in chosen.items():
            shutil.copytree(bundle, folder / task)
        sentences = list(texts.embedded(_EMBEDDED))
        lines = [sentences, texts.adversarial(_ADVERSARIAL)]
        questions = texts.made_up_questions(sentences)
        if data is not None:
            sentences = list(texts.reviews(data))
            lines = [texts.shared(data), texts.adversarial(20_000)]
            questions = texts.questions(data)
        every = list(itertools.chain.from_iterable(lines))
        for name in ("encoder", "keras_hub"):
            path = folder / _TOKENS[name]
            vectors.write_tokens(folder / name, every, path)
        vectors.write_pieces(folder / TASKS[4], every, folder / "pieces.jsonl")
        for task in TASKS[:3]:
            vectors.write_logits(
                folder / task, sentences[:1000], folder / f"{task}.jsonl"
            )
        asked = list(itertools.islice(questions, 500))
        for task in TASKS[3:]:
            vectors.write_answers(
                folder / task, asked, folder / f"{task}.jsonl"
            )
        for name in labels.NAMES:
            shutil.copytree(labelled / name, folder / name)
            path = folder / f"{name}.jsonl"
            labels.write_golden(folder / name, labels.texts(_LABELLED), path)
        shutil.copytree(wrong, folder / "wrong_models")
        shutil.copytree(_PER_ROW, folder / "per_row_scales")
        shutil.copyfile(_CASES, folder / _CASES.name)
        _write_precisions(precisions, folder / "precisions")

    made = [small, precisions, labelled, wrong]
    known = [*made, _PER_ROW, _CASES, *code, *given, str(data)]
    return apk.step("golden", known, build)


def _write_precisions(source: pathlib.Path, folder: pathlib.Path) -> None:
    """Copy the bundles and write what Python makes of a few texts."""
    shutil.copytree(source, folder)
    sentences = list(texts.embedded(200))
    questions = texts.made_up_questions(sentences)
    asked = list(itertools.islice(questions, _QUESTIONS))
    for bundle in sorted(source.iterdir()):
        output = folder / f"{bundle.name}.jsonl"
        if bundle.name.startswith(TASKS[3:]):
            vectors.write_answers(bundle, asked, output)
        else:
            vectors.write_logits(bundle, sentences[:_SENTENCES], output)
