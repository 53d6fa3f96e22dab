"""`tfminilm export`: write a model as a bundle for a phone."""

import json
import pathlib
from typing import TYPE_CHECKING, Any

from absl import flags

from tfminilm import json_files, quiet
from tfminilm.commands import search_flags, task_flags
from tfminilm.errors import UsageError, UserError

if TYPE_CHECKING:
    import keras

    from tfminilm.export.bundle.evaluate import TaskExamples
    from tfminilm.export.manifest import Manifest, Parity
    from tfminilm.tasks.settings import Settings
    from tfminilm.typing import Tokenizer

DESCRIPTION = "Writes a model for phones or servers, compared with Keras."

_HELD_OUT_SENTENCES = 32


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir of distill or finetune, or RUN@STEP, one of its checkpoints; "
        "KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_config_file(
        "config", None, "Target, such as export/android_int8.py."
    )
    flags.DEFINE_string("output", None, "Folder of the writer.")
    flags.DEFINE_string(
        "description",
        None,
        "A sentence about the model; by default it is generated.",
    )
    flags.DEFINE_enum(
        "as",
        None,
        ["encoder", "task"],
        "What to write of a model with a head: the encoder alone, or (by "
        "default) the head too; task also refuses an encoder without one.",
    )
    flags.DEFINE_bool(
        "calibrate",
        False,
        "Of classes: divide the logits so that probabilities are calibrated on "
        "the evaluation examples of --task, and note below which one the "
        "model is unsure.",
    )
    search_flags.define(flags)
    task_flags.define(flags)
    task_flags.define_labels(flags)


def run(flags: flags.FlagValues) -> None:
    """Write the bundle and print how far its outputs differ from Keras'.

    Raises:
        UsageError: a flag is missing.
        UserError: the model cannot be loaded or exported, or its outputs are
            not within the target's tolerance of Keras'.
    """
    from tfminilm.export.target import TEXT_TASKS, Target

    for name, meaning in (
        ("model", "a workdir, preset or Hugging Face folder"),
        ("config", "a target such as export/android_int8.py"),
        ("output", "the folder of the bundle"),
    ):
        if not getattr(flags, name):
            raise UsageError(f"export: expected --{name}=, {meaning}")
    target = Target.parse(flags.config)
    is_search = search_flags.is_search(flags, target)

    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.export.bundle import description, writer
    from tfminilm.export.bundle.replaceable import require_replaceable
    from tfminilm.export.card import bundle as card
    from tfminilm.export.check import calibration
    from tfminilm.export.server import folder
    from tfminilm.export.source import left_out, load_exportable
    from tfminilm.export.text_tasks import writer as text_tasks
    from tfminilm.train import at_step

    require_replaceable(pathlib.Path(flags.output))
    run = at_step.run_of(flags.model)
    part = getattr(flags, "as")
    is_hugging_face = target.format == "hugging_face"
    source = at_step.folder_of(flags.model)
    model, tokenizer, settings, ranges = load_exportable(
        source, part or "", flags.labels or (), masked_words=is_hugging_face
    )
    if not part and (line := left_out(source, hasattr(model, "backbone"))):
        print(line)
    examples = _examples(flags, settings) if flags.task else None
    if flags.calibrate:
        settings = _calibrated(model, tokenizer, settings, examples, ranges)
    default = examples.texts() if examples else _held_out(run)
    texts = search_flags.texts(flags, target, default, is_search)
    if is_search:
        rows = calibration.as_texts(texts, settings)
        target = search_flags.search(flags, model, tokenizer, target, rows)
    arguments = (
        model,
        tokenizer,
        target,
        flags.output,
        texts,
        settings,
        flags.description or description.describe(model, run),
    )
    if target.format == "litert":
        evaluate = examples.evaluate if examples else None
        manifest = writer.export_bundle(*arguments, evaluate, ranges)
        card.add(flags.output, run)
    elif target.format in TEXT_TASKS:
        manifest = text_tasks.export_text_task(*arguments)
    else:
        manifest = folder.export_folder(*arguments)
    if target.format == "saved_model":
        _print_texts_fault(model, tokenizer)
    _print(manifest, flags.output)


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
    model: "keras.Model",
    tokenizer: "Tokenizer",
    settings: "Settings | None",
    examples: "TaskExamples | None",
    ranges: Any,
) -> "Settings":
    """Calibrate a model on a task's evaluation examples.

    Raises:
        UsageError: there is no task.
        UserError: it does not choose among classes, or was trained rounded.
    """
    from tfminilm.tasks.evaluate import tuned

    if examples is None or settings is None:
        raise UsageError(
            "export: --calibrate expects --task=, on whose evaluation examples "
            "it is done"
        )
    if ranges:
        raise UserError(
            "--calibrate would leave the ranges that quantisation-aware "
            "training learned: leave it out, or give the model before that"
        )
    task = examples.task
    rows = examples.data.read(task, task.eval_splits[0])
    return tuned(task, model, tokenizer, rows, settings, calibrates=True)


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


def _print_parity(parity: "Parity") -> None:
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
    table.caption = (
        "Difference from Keras, largest, mean and lowest cosine, on "
        f"{parity.sentences} texts"
    )
    Console().print(table)


def _print_texts_fault(model: "keras.Model", tokenizer: "Tokenizer") -> None:
    from tfminilm.export.server import text_inputs

    if reason := text_inputs.fault(model, tokenizer):
        print(f"No signature takes texts: {reason}.")


def _print(manifest: "Manifest", output: str) -> None:
    if manifest.parity is not None:
        _print_parity(manifest.parity)
    if manifest.signatures:
        numbers = sorted(each.length for each in manifest.signatures.values())
        lengths = f"lengths {', '.join(map(str, numbers))}"
    else:
        lengths = "any length"
    size = max(file.bytes for file in manifest.files.values())
    if manifest.evaluation is not None:
        print(json.dumps(manifest.evaluation.metrics, indent=2))
    print(f"{output}: {manifest.precision}, {size / 1e6:.1f} MB, {lengths}")
