"""Export a student in the smallest precision that keeps its answers."""

import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfminilm import files, teachers
from tfminilm.errors import UserError
from tfminilm.export.bundle import description, reader, writer
from tfminilm.export.check import calibration, search
from tfminilm.export.manifest import Manifest
from tfminilm.export.target import Target
from tfminilm.pipeline.options import Options
from tfminilm.pipeline.outputs import SPLIT, ask
from tfminilm.tasks import heads
from tfminilm.tasks.calibrate import calibrate
from tfminilm.tasks.examples import read
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.sample import sample
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.load import run_folder

# The smallest first.
_PRECISIONS = ("dynamic_wi8_afp32", "weight_only_wi8_afp32", "float16")
_LENGTHS = (16, 32, 64, 128)
_COMPARED = 64


def export(
    student: pathlib.Path,
    tasks: Mapping[str, Task],
    max_length: int,
    options: Options,
    output: pathlib.Path,
    say: Callable[[str], None],
) -> None:
    """Write the bundle of a student, unless it is there.

    The first precision is taken whose file is within the budget and whose
    score on the validation texts (accuracy, or what the kind of task has
    first) is at most `max_drop` points below Keras'. Where 8 bits are too
    large, layers are lowered to 4. The logits of classes are divided by the
    temperature that suits the validation texts, so that the softmax of the
    file's logits is calibrated (arXiv 1706.04599).

    Args:
        student: the workdir of its run.
        tasks: "train" and "validation".
        max_length: tokens of the longest text.
        options: budget and drop.
        output: the bundle's folder.
        say: prints a line.

    Raises:
        UserError: no precision is within both limits.
    """
    if reader.is_bundle(output):
        say(f"  already there: {output}")
        return
    validation = tasks["validation"]
    answers = ask(student, validation)
    before = answers.headline
    folder = run_folder(student) / "student"
    model, settings = heads.load_head(folder), Settings.load(folder)
    words = description.describe(model, folder)
    if kind_of(validation).picks_one:
        settings = calibrate(model, settings, answers)
        say(
            f"  logits are divided by {settings.temperature:.2f} to calibrate "
            f"them; unsure below {settings.unsure_below:.2f}"
        )
    tokenizer = teachers.load_tokenizer(folder)
    texts = calibration.of_examples(
        sample(read(tasks["train"], SPLIT), _COMPARED)
    )
    tried = []
    for target in _targets(model, tokenizer, max_length, texts, options):
        with tempfile.TemporaryDirectory() as name:
            beside = pathlib.Path(name, "bundle")
            try:
                manifest = writer.export_bundle(
                    model, tokenizer, target, beside, texts, settings, words
                )
            except UserError as error:  # Too far from Keras, for example.
                line, is_within = str(error), False
            else:
                drop = 100 * (before - ask(beside, validation).headline)
                line, is_within = _judged(manifest, drop, options)
            tried.append(f"{target.name}: {line}")
            say(f"  {tried[-1]}")
            if is_within:
                _keep(beside, output)
                return
    raise UserError(
        f"no precision is within --budget_mb={options.budget_mb:g} and "
        f"--max_drop={options.max_drop:g} ({'; '.join(tried)}): allow more, or "
        "fewer layers by --num_layers"
    )


def _judged(
    manifest: Manifest, drop: float, options: Options
) -> tuple[str, bool]:
    """Return what a bundle costs, in words, and whether that is allowed.

    Args:
        manifest: of the bundle.
        drop: the points of the score that it loses.
        options: budget and drop.
    """
    size = max(file.bytes for file in manifest.files.values()) / 1e6
    is_within = size <= options.budget_mb and drop <= options.max_drop
    return f"{size:.1f} MB, {drop:+.2f} points lost", is_within


def _keep(beside: pathlib.Path, output: pathlib.Path) -> None:
    with files.new_directory(output) as place:
        for path in beside.iterdir():
            shutil.copyfile(path, place / path.name)


def _targets(
    model: Any,
    tokenizer: Any,
    max_length: int,
    texts: Any,
    options: Options,
) -> Iterator[Target]:
    """Yield what to try, the smallest files first."""
    parameters = model.count_params()
    loose = Target(
        lengths=(*(n for n in _LENGTHS if n < max_length), max_length),
        max_difference=10.0,
        min_cosine=0.9,
        min_agreement=0.8,
    )
    if parameters > 1e6 * options.budget_mb:
        budget = 1e6 * options.budget_mb
        target, _ = search.fit(model, tokenizer, loose, texts, budget)
        yield dataclasses.replace(target, name="4 and 8 bits")
        return
    for precision in _PRECISIONS:
        yield dataclasses.replace(loose, name=precision, precision=precision)
