"""The folder of golden vectors that the app's tests read."""

import itertools
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import apk
import bundles
import texts
import tools
import vectors

_EMBEDDED, _ADVERSARIAL = 2000, 4000
TASKS = ("encoder", "classification", "question_answering")


def write(
    given: Sequence[pathlib.Path], data: pathlib.Path | None
) -> pathlib.Path:
    """Writes bundles and vectors of all tasks, if something is new.

    Args:
        given: bundles to take instead of the small ones of their tasks.
        data: a folder of real texts (XNLI, Wikipedia), for a long run; else
            what every installation has.
    """
    code = [tools.HERE / f"{name}.py" for name in ("bundles", "vectors")]
    code += [tools.HERE / "texts.py", pathlib.Path(__file__)]
    small = apk.step("small", [code[0], bundles.EXPORT], bundles.write_small)

    def build(folder: pathlib.Path) -> None:
        shutil.copytree(small, folder / "small")
        chosen = {task: small / task for task in TASKS}
        chosen |= {vectors.task_of(bundle): bundle for bundle in given}
        for task, bundle in chosen.items():
            shutil.copytree(bundle, folder / task)
        real = list(texts.embedded(_EMBEDDED))
        lines = [real, texts.adversarial(_ADVERSARIAL)]
        if data is not None:
            lines = [texts.shared(data), texts.adversarial(20_000)]
        vectors.write_tokens(
            folder / TASKS[0],
            itertools.chain.from_iterable(lines),
            folder / "tokens.jsonl",
        )
        for task in TASKS[:2]:
            vectors.write_logits(
                folder / task, real[:1000], folder / f"{task}.jsonl"
            )
        vectors.write_answers(
            folder / TASKS[2],
            list(itertools.islice(_questions(real), 500)),
            folder / f"{TASKS[2]}.jsonl",
        )

    return apk.step("golden", [small, *code, *given, str(data)], build)


def _questions(sentences: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Questions about texts of one to forty sentences."""
    for index in itertools.count():
        start = index % (len(sentences) - 40)
        text = " ".join(sentences[start : start + 1 + index % 40])
        yield f"What is said of {sentences[start][:40]}?", text
