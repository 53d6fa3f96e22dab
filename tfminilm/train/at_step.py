"""Open the model that a run had after a step: `RUN@STEP`."""

import atexit
import os
import pathlib
import re
import shutil
import tempfile
from typing import Any

import keras

from tfminilm import json_files, teachers
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.kinds import Scale, kind_of
from tfminilm.tasks.settings import SETTINGS, Settings
from tfminilm.tasks.task import TASKS, Task
from tfminilm.teachers import masked_lm
from tfminilm.teachers.embedding import (
    EMBEDDING,
    known_embedding,
    set_embedding,
)
from tfminilm.teachers.load import run_folder
from tfminilm.teachers.presets import save_preset
from tfminilm.tokenizer import KERAS_HUB
from tfminilm.train import checkpoint
from tfminilm.train.distillation import Distillation, select_job
from tfminilm.train.fine_tuning import FineTuning, FineTuningJob
from tfminilm.train.job import SCALE, SETTINGS_OF_HEAD
from tfminilm.train.models import Backbone, Models
from tfminilm.train.recipe import Recipe
from tfminilm.typing import Source

_NAME = re.compile(r"(.+)@(\d+)")
_AGAIN = "start the run again in another --workdir"


def run_of(source: Source) -> str:
    """Return a model's name, of `RUN@STEP` that of the run."""
    parts = _split(source)
    return os.fspath(source) if parts is None else parts[0]


def folder_of(source: Source) -> str:
    """Return a folder of the model that a name stands for.

    Args:
        source: `RUN@STEP`, a run's folder and a step of which it has a
            checkpoint. Any other name comes back as it is.

    Returns:
        A temporary folder, as `student/` in a run's, which goes with the
        process: a KerasHub preset in float32.

    Raises:
        UserError: there is no such run, it has no such checkpoint, or the
            model cannot be built again.
    """
    parts = _split(source)
    if parts is None:
        return os.fspath(source)
    name, step = parts
    if not (pathlib.Path(name) / "recipe.json").is_file():
        raise UserError(
            f"{source}: {name} holds no run: expected a workdir of distill or "
            "finetune, or a stage's folder in it"
        )
    run = run_folder(name)
    state = checkpoint.find(run / "checkpoints", step)
    if state is None:
        raise UserError(f"{source}: {_listed(run)}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tfminilm-step-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    student = run / "student"
    if not student.is_dir() or not _save_finished(student, state, folder):
        _save_rebuilt(run, state, folder)
    return str(folder)


def _split(source: Source) -> tuple[str, int] | None:
    name = os.fspath(source)
    match = _NAME.fullmatch(name)
    if match is None or "://" in name or os.path.lexists(name):
        return None
    return match[1], int(match[2])


def _listed(run: pathlib.Path) -> str:
    steps = checkpoint.steps(run / "checkpoints")
    if not steps:
        return f"{run} has no checkpoints; expected a run that made some steps"
    return (
        f"the checkpoints of {run} are of the steps "
        f"{', '.join(map(str, steps))} (a run keeps the newest and the best): "
        "expected one of them"
    )


def _save_finished(
    student: pathlib.Path, state: pathlib.Path, folder: pathlib.Path
) -> bool:
    """Write a finished run's student with the weights that it had before.

    Returns:
        Whether it could be done: the student may have become smaller since.
    """
    model: keras.Model
    longest = None
    if (student / SETTINGS).is_file():
        model = heads.load_head(student)
        longest = Settings.load(student).max_length
    elif (student / "task.json").is_file():
        model = masked_lm.load_masked_lm(student)
    else:
        model = teachers.load_backbone(student, dtype="float32")
    if not checkpoint.restore_first(state, model.variables):
        return False
    _restore_scale(student.parent, model, student)
    tokenizer = teachers.load_tokenizer(student)
    save_preset(model, tokenizer, folder, longest)
    for name in (SETTINGS, EMBEDDING):
        if (student / name).is_file():
            shutil.copyfile(student / name, folder / name)
    return True


def _save_rebuilt(
    run: pathlib.Path, state: pathlib.Path, folder: pathlib.Path
) -> None:
    """Build a run's models again, as it does when it is resumed."""
    whole = _whole(run)
    decisions = json_files.find(whole / "decisions.json") or {}
    rules = decisions.get("tokenizer", KERAS_HUB)
    job = _job(run, whole)
    models = job.load_models("float32", rules if rules == KERAS_HUB else None)
    if not checkpoint.restore_first(state, models.student.variables):
        raise UserError(
            f"{state} is damaged, or holds another model than {run} trains: "
            f"{_AGAIN}"
        )
    student = job.kind.to_float32(models.student)
    if isinstance(job.kind, Backbone):
        set_embedding(student, _embedding(models))
    job.kind.save(student, models.tokenizer, folder)
    if (folder / SETTINGS).is_file():
        _restore_scale(run, student, folder)
        job.kind.save(student, models.tokenizer, folder)


def _embedding(models: Models) -> Any:
    return known_embedding(models.trained.teacher)


def _whole(run: pathlib.Path) -> pathlib.Path:
    """Return the folder of the run that a folder is a stage of, or it."""
    recipe = json_files.find(run.parent / "recipe.json", {"stages?": dict})
    is_stage = recipe is not None and run.name in recipe.get("stages", {})
    return run.parent if is_stage else run


def _job(
    run: pathlib.Path, whole: pathlib.Path
) -> Distillation | FineTuningJob:
    recipe = json_files.read(run / "recipe.json", dict, _AGAIN)
    if "method" not in recipe:
        spec = FineTuning(**recipe)
        return FineTuningJob(_task(run, spec), spec, run / "text")
    done = {}
    if whole != run:
        content = json_files.read(whole / "recipe.json", dict, _AGAIN)
        done = {name: whole / name for name in content["stages"]}
    return select_job(Recipe.parse(recipe), done)


def _task(run: pathlib.Path, spec: FineTuning) -> Task:
    """Return the task that a run fine-tunes on; its file may be gone."""
    if spec.task in TASKS:
        return TASKS[spec.task]
    decisions = json_files.read(run / "decisions.json", dict, _AGAIN)
    if SETTINGS_OF_HEAD not in decisions:
        raise UserError(
            f"{run} is an unfinished run of an earlier version of tfminilm, "
            "which did not note its classes: start it again to finish it"
        )
    head = decisions[SETTINGS_OF_HEAD]
    return Task(
        spec.task,
        head["kind"],
        (),
        (),
        tuple(head["labels"]),
        texts=("",) * head["num_texts"],
    )


def _restore_scale(
    run: pathlib.Path, model: keras.Model, folder: pathlib.Path
) -> None:
    """Undo that scores were standardised in training, if they were."""
    decisions = json_files.find(run / "decisions.json") or {}
    recipe = json_files.find(run / "recipe.json") or {}
    is_fine_tuned = "method" not in recipe
    if not is_fine_tuned or not (folder / SETTINGS).is_file():
        return
    kind = kind_of(Settings.load(folder))
    if not kind.has_scale:
        return
    if SCALE not in decisions:
        raise UserError(
            f"{run} is a run of an earlier version of tfminilm, which did not "
            "note the scale of its scores: expected the finished run's own "
            "model, or a new run"
        )
    kind.restore_scale(model, Scale(*decisions[SCALE]))
