"""The folder of golden vectors that the app's tests read."""

import itertools
import pathlib
import shutil
from collections.abc import Sequence

import apk
import bundles
import texts
import tools
import vectors

_EMBEDDED, _ADVERSARIAL = 2000, 4000
TASKS = (
    *("encoder", "classification", "pairs"),
    *("question_answering", "multilingual"),
)


def write(
    given: Sequence[pathlib.Path], data: pathlib.Path | None
) -> pathlib.Path:
    """Writes bundles and vectors of all tasks, if something is new.

    Args:
        given: bundles to take instead of the small ones of their tasks.
        data: a folder of real texts (XNLI, Wikipedia, SST-2, SQuAD), for a
            long run; else what every installation has.
    """
    own, *code = (
        tools.HERE / f"{name}.py"
        for name in ("bundles", "texts", "vectors", "golden")
    )
    inputs = [own, code[0], *bundles.PYTHON]
    small = apk.step("small", inputs, bundles.write_small)

    def build(folder: pathlib.Path) -> None:
        shutil.copytree(small, folder / "small")
        chosen = {task: small / task for task in TASKS}
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
        vectors.write_tokens(folder / TASKS[0], every, folder / "tokens.jsonl")
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

    return apk.step("golden", [small, *code, *given, str(data)], build)
