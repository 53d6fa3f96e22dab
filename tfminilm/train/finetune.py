"""Fine-tune a backbone on a task and score it; survive a kill."""

import dataclasses
import pathlib

from tfminilm.tasks.task import Task
from tfminilm.train.fine_tuning import FineTuning, FineTuningJob
from tfminilm.train.job import run_job
from tfminilm.train.progress import Progress
from tfminilm.train.score import Scores, score_splits
from tfminilm.train.team import ALONE, Team
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source


def finetune(
    task: Task,
    spec: FineTuning,
    workdir: Source,
    cache_dir: Source | None = None,
    team: Team = ALONE,
) -> Scores:
    """Fine-tune and score, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `events.jsonl`, `checkpoints/`,
    `student/` (a KerasHub preset of the model with its head) and predictions
    in the benchmark's own form into `workdir`. What is scored is the model as
    it was saved.

    Args:
        task: what to learn.
        spec: from what, and how.
        workdir: the run's folder.
        cache_dir: where token ids are kept; in `workdir` if `None`.
        team: the replicas that share each batch.

    Returns:
        The metrics of each of the task's evaluation splits; nothing on a
        worker that is not the chief.

    Raises:
        UserError: the model, the data or a number cannot be used, the
            workdir holds another run, the disk is full, or the loss is no
            longer finite.
        Interrupted: a signal stopped the run; its checkpoint is kept.
    """
    spec = spec.resolved(task)
    team.check_batch(spec.batch_size)
    with Progress(quiet=not team.is_chief) as progress, team.running():
        team.agree({"run": dataclasses.asdict(spec)})
        folder = Workdir(workdir, spec, team=team)
        cache = pathlib.Path(cache_dir or folder.text)
        job = FineTuningJob(task, spec, cache)
        if not team.chiefs(folder.student.is_dir()):
            run_job(job, folder, progress)
        elif spec.max_examples:
            folder.require_data_noted()
        scores: Scores = {}
        if team.is_chief:
            progress.say(f"model: {folder.student}")
            scores = score_splits(
                task,
                folder.student,
                task.eval_splits,
                job.data,
                cache,
                folder.path,
                progress,
            )
        # To the other workers, one that left would look like a crash.
        team.wait()
        return scores
