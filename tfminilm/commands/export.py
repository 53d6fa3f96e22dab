"""`tfminilm export`: write a model as a bundle for a phone."""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags
from ml_collections import ConfigDict

from tfminilm import json_files, quiet
from tfminilm.commands import search_flags, task_flags
from tfminilm.errors import UsageError, UserError, in_one_line

if TYPE_CHECKING:
    from tfminilm.export.bundle.evaluate import TaskExamples
    from tfminilm.export.check.calibration import Texts
    from tfminilm.export.manifest import Manifest, Parity
    from tfminilm.export.source import Exportable
    from tfminilm.export.target import Target
    from tfminilm.tasks.settings import Settings

# Several targets may follow --config=, between commas.
TAKES_RECIPES = True
DESCRIPTION = "Writes a model for phones or servers, compared with Keras."

_HELD_OUT_SENTENCES = 32
# The name of a target that is written into the output itself.
_ALONE = ("",)


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir of distill or finetune, or RUN@STEP, one of its checkpoints; "
        "KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_config_file(
        "config",
        None,
        "Target, such as export/android_int8.py; or several, between commas, "
        "each written into a folder of its name in the output.",
    )
    flags.DEFINE_string("output", None, "Folder of the writer.")
    flags.DEFINE_string(
        "description",
        None,
        "A sentence about the model; by default it is generated.",
    )
    task_flags.define_head(flags)
    flags.DEFINE_bool(
        "calibrate",
        False,
        "Of classes: divide the logits so that probabilities are calibrated on "
        "the evaluation examples of --task, and note below which one the "
        "model is unsure.",
    )
    search_flags.define(flags)
    task_flags.define(flags)


def run(flags: flags.FlagValues) -> None:
    """Write the bundle and print how far its outputs differ from Keras'.

    Raises:
        UsageError: a flag is missing.
        UserError: the model cannot be loaded or exported, or its outputs are
            not within the target's tolerance of Keras'.
    """
    _require(flags)
    targets = _targets(flags.config)
    outputs = {
        name: os.path.join(flags.output, name) if name else flags.output
        for name in targets
    }
    searched = {
        name: search_flags.is_search(flags, target)
        for name, target in targets.items()
    }

    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.export.bundle import description
    from tfminilm.export.bundle.replaceable import require_replaceable
    from tfminilm.export.card import bundle as card
    from tfminilm.train import at_step

    for output in outputs.values():
        require_replaceable(pathlib.Path(output))
    run = at_step.run_of(flags.model)
    takes_words = any(x.format == "hugging_face" for x in targets.values())
    source = _load(flags, takes_words)
    examples = _examples(flags, source.settings) if flags.task else None
    if flags.calibrate:
        source = _calibrated(source, examples)
    default = examples.texts() if examples else _held_out(run)
    text = flags.description or description.describe(source.model, run)

    def write(name: str) -> str:
        """Write one target, and return a line on it."""
        target, is_search = targets[name], searched[name]
        texts = search_flags.texts(flags, target, default, is_search)
        line = _write(
            flags, source, target, outputs[name], texts, text, examples
        )
        if target.format == "litert":
            card.add(outputs[name], run)
        return line

    if tuple(targets) == _ALONE:
        print(write(""))
    else:
        _write_all(targets, write)


def _require(flags: flags.FlagValues) -> None:
    for name, meaning in (
        ("model", "a workdir, preset or Hugging Face folder"),
        ("config", "a target such as export/android_int8.py"),
        ("output", "the folder of the bundle"),
    ):
        if not getattr(flags, name):
            raise UsageError(f"export: expected --{name}=, {meaning}")


def _load(flags: flags.FlagValues, takes_words: bool) -> "Exportable":
    """Load the model, and say what of its folder is left out."""
    from tfminilm.export.source import left_out, load_exportable
    from tfminilm.train import at_step

    part = getattr(flags, "as") or ""
    folder = at_step.folder_of(flags.model)
    source = load_exportable(
        folder, part, flags.labels or (), masked_words=takes_words
    )
    has_head = hasattr(source.model, "backbone")
    if not part and (line := left_out(folder, has_head)):
        print(line)
    return source


def _targets(config: Any) -> "dict[str, Target]":
    """Return the targets by their folders in the output; one alone has none.

    Raises:
        UsageError: one is not valid.
    """
    from tfminilm.export.target import Target

    if not isinstance(config, ConfigDict) or "format" in config:
        return {_ALONE[0]: Target.parse(config)}
    return {name: Target.parse(each) for name, each in config.items()}


def _write(
    flags: flags.FlagValues,
    source: "Exportable",
    target: "Target",
    output: str,
    texts: "Sequence[str] | Sequence[Texts]",
    text: str,
    examples: "TaskExamples | None",
) -> str:
    """Write one target, print what was measured, and return a line on it."""
    from tfminilm.export.check import calibration
    from tfminilm.export.write import write

    if search_flags.is_search(flags, target):
        rows = calibration.as_texts(texts, source.settings)
        target = search_flags.search(
            flags, source.model, source.tokenizer, target, rows
        )
    evaluate = examples.evaluate if examples else None
    manifest = write(source, target, output, texts, text, evaluate)
    if target.format == "saved_model":
        _print_texts_fault(source)
    return _print(manifest, output)


def _write_all(names: Iterable[str], write: Callable[[str], str]) -> None:
    """Write each target, whatever becomes of the others.

    Raises:
        UserError: names those that failed; the others are written.
    """
    lines, failed = [], []
    for name in names:
        print(f"{name}:")
        try:
            lines.append(write(name))
        except Exception as error:  # The others are written all the same.
            reason = str(error)
            if not isinstance(error, UserError):
                reason = f"{type(error).__name__}: {in_one_line(error)}"
            lines.append(f"{name} failed: {reason}")
            failed.append(name)
    print("\n".join(lines))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(lines)} targets failed, "
            f"{', '.join(failed)}: expected all to be written; the lines above "
            "say why, and the others are there"
        )


def _examples(flags: flags.FlagValues, settings: "Settings | None") -> Any:
    """Return the examples of the task that the flags name.

    Raises:
        UsageError: the model has no task's head.
        UserError: it was fine-tuned on another task.
    """
    from tfminilm.export.bundle.evaluate import TaskExamples
    from tfminilm.tasks.task import OWN_FILES
    from tfminilm.train import score

    if settings is None:
        raise UsageError(
            f"export: --task={flags.task} expects a model for a task, such as "
            f"finetune writes; {flags.model} is exported as an encoder"
        )
    labels = settings.labels if flags.task.startswith(OWN_FILES) else None
    task = task_flags.parse(flags, "export", labels)
    score.require_labels(task, settings, flags.model)
    _require_task(task.name, settings.task, flags.model)
    return TaskExamples(task, score.Data.of(flags))


def _calibrated(
    source: "Exportable", examples: "TaskExamples | None"
) -> "Exportable":
    """Calibrate a model on a task's evaluation examples.

    Raises:
        UsageError: there is no task.
        UserError: it does not choose among classes, or was trained rounded.
    """
    from tfminilm.tasks.evaluate import tuned

    settings = source.settings
    if examples is None or settings is None:
        raise UsageError(
            "export: --calibrate expects --task=, on whose evaluation examples "
            "it is done"
        )
    if source.ranges:
        raise UserError(
            "--calibrate would leave the ranges that quantisation-aware "
            "training learned: leave it out, or give the model before that"
        )
    task = examples.task
    splits = task.eval_splits[:1]
    rows = [row for name in splits for row in examples.data.read(task, name)]
    settings = tuned(
        task, source.model, source.tokenizer, rows, settings, calibrates=True
    )
    return source._replace(settings=settings)


def _require_task(name: str, model_task: str, model: str) -> None:
    """Refuse another task, even one of equal labels, as qnli and rte have.

    Raises:
        UserError: the task is neither the model's, nor trained on the same
            data, nor a file of the user's.
    """
    from tfminilm.tasks.task import OWN_FILES

    is_file = name.startswith(OWN_FILES)
    if not is_file and _trained_on(name) != _trained_on(model_task):
        raise UserError(
            f"{model} was fine-tuned on {model_task}, not for {name}: expected "
            f"--task={model_task}, or --task=csv:FILE for examples of your own"
        )


def _trained_on(name: str) -> str:
    """Return the task on whose examples a task is trained: XNLI on MNLI."""
    from tfminilm.tasks.task import OWN_FILES, get_task

    if name.startswith(OWN_FILES):
        return name
    return get_task(name).train_task or name


def _held_out(model: str) -> list[str]:
    """Return sentences that a workdir's student was not trained on."""
    from tfminilm.teachers import load

    path = load.run_folder(model) / "held_out.json"
    if not path.is_file():
        return []
    content = json_files.read(path, {"sentences": [str]})
    return content["sentences"][:_HELD_OUT_SENTENCES]


def _print_parity(parity: "Parity", name: str = "") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    titles = ["output", "largest", "mean", "cosine"]
    # Only models for a task have answers.
    rows = parity.outputs.values()
    if any(row.agreement is not None for row in rows):
        titles.append("same answers")
    for title in titles:
        table.add_column(
            title, justify="left" if title == "output" else "right"
        )
    for name, row in parity.outputs.items():
        cells = [
            name,
            f"{row.max_difference:.2g}",
            f"{row.mean_difference:.2g}",
            f"{row.min_cosine:.5f}",
            f"{row.agreement or 0:.1%}",
        ]
        table.add_row(*cells[: len(titles)])
    table.caption = f"{name}: " * bool(name) + (
        "Difference from Keras, largest, mean and lowest cosine, on "
        f"{parity.sentences} texts"
    )
    Console().print(table)


def _print_texts_fault(source: "Exportable") -> None:
    from tfminilm.export.server import text_inputs

    if reason := text_inputs.fault(source.model, source.tokenizer):
        print(f"No signature takes texts: {reason}.")


def _print(manifest: "Manifest", output: str) -> str:
    """Print what was measured, and return a line on what was written."""
    parities = getattr(manifest, "parities", None) or {"": manifest.parity}
    for name, parity in parities.items():
        if parity is not None:
            _print_parity(parity, name)
    if manifest.signatures:
        numbers = sorted(each.length for each in manifest.signatures.values())
        lengths = f"lengths {', '.join(map(str, numbers))}"
    else:
        lengths = "any length"
    if manifest.evaluation is not None:
        print(json.dumps(manifest.evaluation.metrics, indent=2))
    sizes = [
        f"{name} {manifest.files[name].bytes / 1e6:.1f} MB"
        for name in parities
        if name in manifest.files
    ]
    if not sizes:
        size = max(file.bytes for file in manifest.files.values())
        sizes = [f"{size / 1e6:.1f} MB"]
    return f"{output}: {manifest.precision}, {', '.join(sizes)}, {lengths}"
