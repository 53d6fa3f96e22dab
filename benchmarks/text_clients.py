"""Runs what `tfminilm export` wrote in the client it is for, on many texts.

    python benchmarks/text_clients.py --model=B --python=P --texts=FILE
    python benchmarks/text_clients.py --model=B --python=P --data=DATA

P is the Python of an environment that has the client: `make test-clients`
makes `.venv-mediapipe` and `.venv-task-library`. The first compares labels and
probabilities, or embeddings, with those of the same file in LiteRT on the
student's own tokens, on the first --count lines of FILE as they are and as
docs/mediapipe.md prepares them; of question answering FILE is SQuAD's. The
second compares tokens: it asks the client
for the ids of texts of several languages, by a file whose output are its
inputs. DATA is a folder with `xnli` and `corpus`, as for token_ids.py, and
--tokenizer a folder with another vocabulary, such as it writes.
"""

import json
import pathlib
import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import _shared
import numpy as np
import token_ids

ROOT = pathlib.Path(__file__).parents[1]
_WORKERS = ROOT / "tests/clients"
# Texts that are longer are cut, and their rest is not compared.
_LENGTH = 256


def prepared() -> Callable[[str], str]:
    """Return the function that docs/mediapipe.md gives to apps."""
    page = (ROOT / "docs/mediapipe.md").read_text("utf-8")
    (code,) = re.findall(
        r"^```python\n(.*?def prepared.*?)^```", page, re.M | re.S
    )
    names: dict[str, Any] = {}
    exec(code, names)
    return names["prepared"]


def ask(
    python: str, target: str, kind: str, model: pathlib.Path, texts: Sequence
) -> Any:
    """Return a client's answer to each text.

    Args:
        python: of the client's environment.
        target: the format that the file was written in.
        kind: classifier, embedder or answerer.
        model: the file.
        texts: of one file at a time.
    """
    client = "task_library" if target == "task_library" else "mediapipe"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "texts.json")
        path.write_text(json.dumps(list(texts)))
        worker = _WORKERS / f"{client}_worker.py"
        done = subprocess.run(
            [python, worker, kind, model, path],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout)


def ids_file(words: Sequence[str], length: int) -> bytes:
    """Return a file for a client's embedder whose output are its token ids.

    Args:
        words: the vocabulary.
        length: of its inputs.
    """
    import tensorflow as tf

    from tfminilm.export.text_tasks.packed import INPUTS, pack

    class Ids(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([1, length], tf.int32, name) for name in INPUTS
            ]
        )
        def encode(self, token_ids, padding_mask, segment_ids):
            # What is padded has id 0 too: 1 tells it from a real token.
            ids = (token_ids + 1) * padding_mask + segment_ids
            return {"sentence_embedding": tf.cast(ids, tf.float32)}

    module = Ids()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(
            module, folder, signatures={"encode": module.encode}
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["encode"]
        )
        content = converter.convert()
    vocabulary = ("\n".join(words) + "\n").encode()
    return pack(content, "Token ids", {"vocab.txt": vocabulary})


def client_ids(
    python: str, target: str, words: Sequence[str], texts: Sequence[str]
) -> list[tuple[int, ...]]:
    """Return the ids that a client makes of texts, cut to 256 tokens."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "ids.tflite")
        path.write_bytes(ids_file(words, _LENGTH))
        rows = ask(python, target, "embedder", path, texts)
    return [tuple(int(x) - 1 for x in row if x) for row in rows]


def student_ids(tokenizer: Any, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the ids that the student reads, cut in the same way."""
    from tfminilm.export.check import calibration

    _, encoded = calibration.encode(tokenizer, [(x,) for x in texts], _LENGTH)
    batch = encoded.padded(np.arange(len(texts)), _LENGTH)
    rows = zip(batch["token_ids"], batch["padding_mask"], strict=True)
    return [tuple(map(int, ids[mask > 0])) for ids, mask in rows]


def compare_tokens(flags: Any, manifest: dict[str, Any]) -> None:
    """Print on how many lines of each kind the ids are the same."""
    from tfminilm.teachers import load_tokenizer

    if flags.tokenizer:
        tokenizer = load_tokenizer(flags.tokenizer)
    else:
        tokenizer = _tokenizer(pathlib.Path(flags.model), manifest)
    target = manifest["format"].removeprefix("tfminilm-")
    prepare, words = prepared(), list(tokenizer.get_vocabulary())
    shown = _shared.table(
        ["lines"], ["number", "as they are, %", "prepared, %"]
    )
    for name, lines in token_ids.lines(pathlib.Path(flags.data)).items():
        lines = [line for line in lines if line.strip() and "\0" not in line]
        if not lines:
            continue
        lines = random.Random(0).sample(lines, min(flags.count, len(lines)))
        expected = student_ids(tokenizer, lines)
        shares = []
        for texts in (lines, [prepare(line) for line in lines]):
            got = client_ids(flags.python, target, words, texts)
            same = [x == y for x, y in zip(got, expected, strict=True)]
            shares.append(f"{100 * np.mean(same):.1f}")
        shown.add_row(name, str(len(lines)), *shares)
    _shared.show(shown, 80)


def compare_answers(flags: Any, manifest: dict[str, Any]) -> None:
    """Print how far the client's answers are from the file's in LiteRT."""
    folder = pathlib.Path(flags.model)
    target = manifest["format"].removeprefix("tfminilm-")
    lines = pathlib.Path(flags.texts).read_text("utf-8").splitlines()
    lines = lines[: flags.count]
    expected = expected_answers(folder, manifest, lines)
    kind = "classifier" if manifest["labels"] else "embedder"
    prepare = prepared()
    shown = _shared.table(
        ["texts"],
        ["number", "same label", "largest difference", "within 1e-3"],
    )
    for name, texts in (
        ("as they are", lines),
        ("prepared", [prepare(line) for line in lines]),
    ):
        model = folder / "model.tflite"
        rows = ask(flags.python, target, kind, model, texts)
        if kind == "classifier":
            rows = [[row[x] for x in manifest["labels"]] for row in rows]
        got = np.array(rows)
        gap = np.abs(got - expected).max(1)
        same = int(np.sum(got.argmax(1) == expected.argmax(1)))
        shown.add_row(
            name,
            str(len(lines)),
            str(same) if kind == "classifier" else "-",
            f"{gap.max():.2g}",
            str(int((gap <= 1e-3).sum())),
        )
    _shared.show(shown, 80)


def compare_places(flags: Any, manifest: dict[str, Any]) -> None:
    """Print how often the client finds the answer that LiteRT's logits give."""
    folder, path = pathlib.Path(flags.model), pathlib.Path(flags.texts)
    tokenizer = _tokenizer(folder, manifest)
    batch, pairs = _whole_pairs(tokenizer, path, flags.count)
    prepare = prepared()
    wanted = [
        best_answer(*outputs, segments, mask)
        for outputs, segments, mask in zip(
            _logits(folder, batch),
            batch["segment_ids"],
            batch["padding_mask"],
            strict=True,
        )
    ]
    shown = _shared.table(
        ["questions"], ["number", "same answer", "largest difference"]
    )
    for name, asked in (
        ("as they are", pairs),
        ("prepared", [tuple(map(prepare, pair)) for pair in pairs]),
    ):
        model = folder / "model.tflite"
        answers = ask(flags.python, "task_library", "answerer", model, asked)
        gaps = [
            abs(answer["logit"] - best[0]) if answer else 0.0
            for answer, best in zip(answers, wanted, strict=True)
            if _place(answer) == (best and best[1:])
        ]
        row = (str(len(pairs)), str(len(gaps)), f"{max(gaps):.2g}")
        shown.add_row(name, *row)
    _shared.show(shown, 80)


def best_answer(
    starts: np.ndarray, ends: np.ndarray, segments: np.ndarray, mask: np.ndarray
) -> tuple[float, int, int] | None:
    """Return score, start and end by the Task Library's rule, or None.

    It takes the five best starts and ends; those in the context, in order and
    at most 32 tokens apart are answers.
    """
    context = {*np.flatnonzero(segments * mask)[:-1].tolist()}  # No [SEP].
    answers = [
        (float(starts[i] + ends[j]), int(i), int(j))
        for i in np.argsort(-starts)[:5]
        for j in np.argsort(-ends)[:5]
        if {i, j} <= context and i <= j < i + 32
    ]
    return max(answers, default=None)


def _place(answer: dict[str, Any] | None) -> tuple[int, int] | None:
    return (answer["start"], answer["end"]) if answer else None


def _whole_pairs(
    tokenizer: Any, path: pathlib.Path, count: int
) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Read questions and contexts that fit 384 tokens, one a paragraph."""
    from tfminilm.export.check import calibration

    pairs = [
        (paragraph["qas"][0]["question"], paragraph["context"])
        for article in json.loads(path.read_text("utf-8"))["data"]
        for paragraph in article["paragraphs"]
    ]
    pairs = random.Random(0).sample(pairs, min(2 * count, len(pairs)))
    batch = calibration.batch(tokenizer, pairs, 384)
    fits = np.flatnonzero(batch["padding_mask"].sum(1) < 384)[:count]
    chosen = {name: values[fits] for name, values in batch.items()}
    return chosen, [pairs[index] for index in fits]


def _logits(
    folder: pathlib.Path, batch: dict[str, np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each row's logits of starts and ends, as LiteRT computes them."""
    from tfminilm.export.litert.runner import LiteRTEncoder

    encoder = LiteRTEncoder(folder / "model.tflite")
    for index in range(len(batch["token_ids"])):
        row = {name: values[index] for name, values in batch.items()}
        outputs = encoder(**row)
        yield outputs["start_logits"][0], outputs["end_logits"][0]


def expected_answers(
    folder: pathlib.Path, manifest: dict[str, Any], texts: Sequence[str]
) -> np.ndarray:
    """Return the file's outputs `[texts, ...]` on the student's own tokens."""
    from tfminilm.export.check import calibration
    from tfminilm.export.litert.runner import LiteRTEncoder

    encoder = LiteRTEncoder(folder / "model.tflite")
    (length,) = encoder.lengths
    tokenizer = _tokenizer(folder, manifest)
    _, encoded = calibration.encode(tokenizer, [(x,) for x in texts], length)
    batch = encoded.padded(np.arange(len(texts)), length)
    rows = []
    for index in range(len(texts)):
        row = {name: values[index] for name, values in batch.items()}
        (output,) = encoder(**row).values()
        rows.append(output[0])
    return np.array(rows)


def _tokenizer(folder: pathlib.Path, manifest: dict[str, Any]) -> Any:
    from tfminilm.export.bundle import vocabulary
    from tfminilm.export.manifest import TokenizerSettings

    settings = TokenizerSettings(**manifest["tokenizer"])
    rows = manifest["model"]["vocabulary_size"]
    return vocabulary.read(folder / settings.vocabulary, settings, rows)


def main() -> None:
    """Read the flags and compare what they name."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(model="", python="", texts="", data="")
    parser.add_flags(tokenizer="", count=500)
    flags = parser.parse_args()
    path = pathlib.Path(flags.model, "manifest.json")
    manifest = json.loads(path.read_text("utf-8"))
    if flags.texts and manifest["task"] == "question_answering":
        compare_places(flags, manifest)
    elif flags.texts:
        compare_answers(flags, manifest)
    if flags.data:
        compare_tokens(flags, manifest)


if __name__ == "__main__":
    main()
