"""`tfminilm finetune`: fine-tune a backbone on a task, once for each seed."""

import json
import pathlib
import shlex
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from tfminilm import quiet
from tfminilm.commands import strategy_flags, task_flags
from tfminilm.errors import UsageError, UserError

if TYPE_CHECKING:
    from tfminilm.tasks.judgement import Evidence
    from tfminilm.train.finetune import FineTuning

DESCRIPTION = "Fine-tunes a backbone on a task and scores it."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Backbone: workdir, KerasHub preset folder or name, or Hugging Face "
        "folder.",
    )
    flags.DEFINE_string(
        "workdir", None, "Folder of the run: checkpoints, model, results.json."
    )
    task_flags.define(flags)
    strategy_flags.define(flags)
    flags.DEFINE_list(
        "seeds", ["1"], "One run each; several give mean and spread."
    )
    flags.DEFINE_integer(
        "max_length", 0, "Longest sequence in tokens (0: 128, long texts 384)."
    )
    flags.DEFINE_integer(
        "doc_stride", 128, "Tokens from one window of a long text to the next."
    )
    _define_optimization(flags)
    _define_labels(flags)
    flags.DEFINE_string(
        "best_by",
        "",
        "End with the best of the models that were scored after each epoch, "
        "by this metric, such as macro_f1 (by default with the last one).",
    )
    flags.DEFINE_integer(
        "patience",
        0,
        "Stop after so many epochs in a row that were not the best by "
        "--best_by (0: never).",
    )
    flags.DEFINE_bool(
        "calibrate",
        False,
        "Of classes: divide the logits so that probabilities are calibrated on "
        "the evaluation examples, and note below which one the model is "
        "unsure.",
    )
    flags.DEFINE_enum(
        "precision",
        "auto",
        ["auto", "float32", "mixed_bfloat16", "mixed_float16"],
        "Precision of the computation; auto is the fastest on this machine.",
    )


def _define_optimization(flags: flags.FlagValues) -> None:
    """Define how long and how fast the model learns."""
    flags.DEFINE_integer("epochs", 0, "Rounds (0: the task's own, 3 to 10).")
    flags.DEFINE_float("learning_rate", 5e-5, "Peak of the learning rate.")
    flags.DEFINE_float(
        "head_rate",
        0.0,
        "How many times as fast the new head learns (0: as the backbone).",
    )
    flags.DEFINE_integer(
        "batch_size", 0, "Sequences in a step (0: 32, for large data sets 64)."
    )
    flags.DEFINE_float("warmup", 0.1, "Share of the steps that warm up.")
    flags.DEFINE_float(
        "weight_decay", 0.01, "Decay of all weights but norms and biases."
    )
    flags.DEFINE_float("dropout", 0.1, "Dropout rate at the head.")


def _define_labels(flags: flags.FlagValues) -> None:
    """Define how much examples and their labels count."""
    flags.DEFINE_string(
        "class_weights",
        "",
        "How much an example of a class counts: balanced (rare classes as "
        "much as others), or as in a:2,b:0.5 (the others 1).",
    )
    flags.DEFINE_float(
        "oversampling",
        0.0,
        "Repeat the examples of rare classes: 1 for as many of each as of the "
        "most frequent, 0.5 for half of the way, 0 for none.",
    )
    flags.DEFINE_float(
        "label_smoothing", 0.0, "Share of a label that all classes get alike."
    )
    flags.DEFINE_float(
        "focal_gamma",
        0.0,
        "Exponent of the focal loss, such as 2: examples that the model is "
        "sure of count less (0: cross-entropy).",
    )


def run(flags: flags.FlagValues) -> None:
    """Fine-tune, and write and print the results.

    Raises:
        UsageError: a flag is missing or malformed.
        UserError: a run failed, or it was interrupted.
    """
    if not flags.model:
        raise UsageError("finetune: expected --model=, the backbone")
    if not flags.workdir:
        raise UsageError("finetune: expected --workdir=, the run's folder")
    seeds = _seeds(flags.seeds)
    task = task_flags.parse(flags, "finetune")
    quiet.import_tensorflow()
    from tfminilm.export.card.publish import write_beside
    from tfminilm.report.collected import Collected
    from tfminilm.report.machine import machine
    from tfminilm.train import finetune, score

    workdir = pathlib.Path(flags.workdir)
    folders = _folders(workdir, seeds)
    names = finetune.FineTuning.__dataclass_fields__.keys() - {"seed"}
    options = {name: getattr(flags, name) for name in names}
    specs = {
        seed: finetune.FineTuning(seed=seed, **options).resolved(task)
        for seed in seeds
    }
    context = strategy_flags.parse(flags)
    collected = Collected(task, flags.workdir)
    runs = {
        seed: finetune.finetune(
            task,
            spec,
            folders[seed],
            workdir / "text",
            context,
            collected.of(f"seed {seed}" if len(seeds) > 1 else ""),
        )
        for seed, spec in specs.items()
    }
    if not context.is_chief:
        return
    results = {
        "task": task.name,
        "model": flags.model,
        "command": shlex.join(["tfminilm", *sys.argv[1:]]),
        "seeds": seeds,
        "metrics": score.summary(runs),
        "settings": _settings(specs[seeds[0]]),
        "machine": machine(),
    }
    _write(workdir, results, collected.judge())
    for folder in folders.values():
        write_beside(None, folder)
    summary = {key: results[key] for key in ("task", "seeds", "metrics")}
    print(json.dumps(summary, indent=2))


def _write(
    workdir: pathlib.Path,
    results: dict[str, Any],
    evidence: "dict[str, Evidence]",
) -> None:
    """Write the results, and a page of the evidence where there is any."""
    from tfminilm import files
    from tfminilm.report.collected import write_page
    from tfminilm.typed_json import to_json

    results = {**results, "evidence": to_json(evidence)}
    files.write_json(workdir / "results.json", results)
    if evidence:
        write_page(workdir / "results.html", evidence)


def _seeds(texts: list[str]) -> list[int]:
    try:
        seeds = [int(text) for text in texts]
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"finetune: --seeds={','.join(texts)}: expected whole numbers, "
            "each once, such as 1,2,3"
        )
    return seeds


def _folders(
    workdir: pathlib.Path, seeds: list[int]
) -> dict[int, pathlib.Path]:
    """Return a folder for each seed: for a single seed the workdir itself."""
    has_single = (workdir / "recipe.json").exists()
    has_several = any(workdir.glob("seed-*/recipe.json"))
    if len(seeds) == 1 and not has_several:
        return {seeds[0]: workdir}
    if has_single:
        raise UserError(
            f"{workdir} holds the run of one seed: use another --workdir for "
            "several"
        )
    return {seed: workdir / f"seed-{seed}" for seed in seeds}


def _settings(spec: "FineTuning") -> dict[str, Any]:
    identity = ("model", "task", "seed")
    return {
        key: value for key, value in vars(spec).items() if key not in identity
    }
