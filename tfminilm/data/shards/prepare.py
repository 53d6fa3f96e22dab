"""`prepare`: turn text into shards and their manifest."""

import logging
import os
import pathlib
from collections.abc import Callable, Sequence

import tfminilm
from tfminilm import files, shard_manifest
from tfminilm.data import cache, packing
from tfminilm.data.shards import job as jobs
from tfminilm.data.shards import workers, write
from tfminilm.data.shards.job import Job
from tfminilm.data.shards.manifest import Manifest
from tfminilm.data.shards.settings import Settings
from tfminilm.errors import UserError


def prepare(
    settings: Settings,
    output: str | os.PathLike,
    runner: str = "DirectRunner",
    beam_flags: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Manifest:
    """Read, deduplicate, tokenize and pack a text into shards.

    The bytes of the shards depend only on the text and the settings. Called
    again after a kill, it continues with the parts that are not done.

    Args:
        settings: the source and how to prepare it.
        output: the folder to write: a new one, or that of an unfinished call.
        runner: Beam's runner.
        beam_flags: flags of Beam and the runner.
        progress: called regularly with a description of the work, the number
            of finished parts, and the number of all parts.

    Raises:
        UserError: Beam is not installed, the text cannot be read or is too
            short, the folder holds something else, or the disk is full.
    """
    folder = pathlib.Path(output)
    if (folder / shard_manifest.NAME).exists():
        return _finished(folder, settings)
    _require_unused(folder)
    logging.disable(logging.WARNING)  # Beam warns of missing cloud packages.
    try:
        from tfminilm.data.shards import pipeline
    except ImportError as error:
        raise UserError(
            f'prepare needs Apache Beam ({error}): pip install "tfminilm[beam]"'
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    with files.lock(folder / jobs.NAME, "--output"):
        job = Job.begin(folder, settings)
        packing.special_ids(job.tokenizer)  # Refuses one without such tokens.
        done = set(job.written())
        remaining = [n for n in range(len(job.parts)) if n not in done]

        def report() -> None:
            if progress is not None:
                _report(job, progress)

        def work() -> None:
            pipeline.run(str(folder), runner, beam_flags, remaining)

        try:
            workers.run(job.folder, work, report)
        except Exception as error:  # Beam wraps the error of a worker.
            if failure := job.failure():
                raise UserError(failure) from error
            raise
        return _finish(job)


def _finish(job: Job) -> Manifest:
    """Pack what the parts left over, and write the manifest."""
    records = job.records()
    splits, sentences = write.finish(
        job.output, records, job.tokenizer, job.settings
    )
    result = Manifest(
        format=Manifest.newest,
        tfminilm=tfminilm.__version__,
        dtype=write.dtype_of(job.tokenizer),
        tokenizer=cache.tokenizer_identity(job.tokenizer),
        settings=job.settings,
        dropped=sum(record["dropped"] for record in records),
        sentences=tuple(sentences),
        **splits,
    )
    result.save(job.output)
    jobs.remove(job.folder)
    return result


def _finished(folder: pathlib.Path, settings: Settings) -> Manifest:
    result = Manifest.load(folder)
    # The job may have been killed before it removed its folder.
    jobs.remove(folder / jobs.NAME)
    for name, value in vars(settings).items():
        if (old_value := getattr(result.settings, name)) != value:
            raise UserError(
                f"{folder} holds shards made with --{name}={old_value}, and "
                f"{value} is asked for: use another --output, or remove it"
            )
    return result


def _require_unused(folder: pathlib.Path) -> None:
    """Refuse a folder that holds other files."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output={folder} is a file, expected a folder")
    if folder.is_dir() and not jobs.is_job(folder / jobs.NAME):
        names = sorted(path.name for path in folder.iterdir())
        if names:
            raise UserError(
                f"--output={folder} holds other files ({names[0]}): use a "
                "new folder"
            )


def _report(job: Job, progress: Callable[[str, int, int], None]) -> None:
    """Report the progress, as seen from the files of all processes."""
    digested, written = job.digested(), len(job.written())
    is_first = job.drops and digested < len(job.parts)
    activity = "looking for duplicates" if is_first else "writing shards"
    progress(activity, digested if is_first else written, len(job.parts))
