"""Fine-tune a backbone on a task and score it; survive a kill."""

import dataclasses
import pathlib

from tfminilm.tasks.task import Task
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext
from tfminilm.train.fine_tuning import FineTuning, FineTuningJob
from tfminilm.train.job import run_job
from tfminilm.train.progress import Progress
from tfminilm.train.score import Scores, Seen, score_splits
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source


def finetune(
    task: Task,
    spec: FineTuning,
    workdir: Source,
    cache_dir: Source | None = None,
    context: DistributedContext = SINGLE_DEVICE,
    seen: Seen | None = None,
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
        context: the replicas that share each batch.
        seen: is told each evaluation split's result, with its `answers`.

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
    context.check_batch(spec.batch_size)
    with (
        Progress(quiet=not context.is_chief) as progress,
        context.explain_errors(),
    ):
        context.check_equal({"run": dataclasses.asdict(spec)})
        folder = Workdir(workdir, spec, context=context)
        cache = pathlib.Path(cache_dir or folder.text)
        job = FineTuningJob(task, spec, cache)
        if not context.broadcast(folder.student.is_dir()):
            run_job(job, folder, progress)
        elif spec.max_examples:
            folder.require_pinned_data()
        scores: Scores = {}
        if context.is_chief:
            progress.say(f"model: {folder.student}")
            scores = score_splits(
                task,
                folder.student,
                task.eval_splits,
                job.data,
                cache,
                folder.path,
                progress,
                seen=seen,
            )
        # To the other workers, one that left would look like a crash.
        context.barrier()
        return scores
