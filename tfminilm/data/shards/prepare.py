"""`prepare`: text in, shards and their manifest out."""

import logging
import os
import pathlib
from collections.abc import Callable, Sequence

import tfminilm
from tfminilm import files
from tfminilm.data import cache, packing
from tfminilm.data.shards import job as jobs
from tfminilm.data.shards import manifest, workers, write
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
    """Reads, deduplicates, tokenises and packs a text into shards.

    The bytes of the shards depend on the text and the settings alone. Started
    again after a kill it goes on with the parts that are not done.

    Args:
        settings: what of, and how.
        output: the folder to write; new, or of the same call.
        runner: Beam's runner.
        beam_flags: flags of Beam and the runner.
        progress: called now and then with what is done, how many parts of it
            are done, and how many there are.

    Raises:
        UserError: Beam is not installed, the text cannot be read or is too
            short, the folder holds something else, or the disk is full.
    """
    folder = pathlib.Path(output)
    if (folder / manifest.NAME).exists():
        return _finished(folder, settings)
    _require_own(folder)
    logging.disable(logging.WARNING)  # Of what Beam lacks for other clouds.
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
        packing.special_ids(job.tokenizer)  # A tokenizer without is refused.
        done = set(job.written())
        left = [n for n in range(len(job.parts)) if n not in done]

        def look() -> None:
            if progress is not None:
                _report(job, progress)

        def work() -> None:
            pipeline.run(str(folder), runner, beam_flags, left)

        try:
            workers.run(job.folder, work, look)
        except Exception as error:  # Beam's own, around a worker's.
            if failure := job.failure():
                raise UserError(failure) from error
            raise
        return _finish(job)


def _finish(job: Job) -> Manifest:
    """Packs what the parts left, and writes the manifest."""
    records = job.records()
    splits, sentences = write.finish(
        job.output, records, job.tokenizer, job.settings
    )
    found = Manifest(
        format=manifest.FORMAT,
        tfminilm=tfminilm.__version__,
        dtype=write.dtype_of(job.tokenizer),
        tokenizer=cache.tokenizer_identity(job.tokenizer),
        settings=job.settings,
        dropped=sum(record["dropped"] for record in records),
        sentences=tuple(sentences),
        **splits,
    )
    found.save(job.output)
    jobs.remove(job.folder)
    return found


def _finished(folder: pathlib.Path, settings: Settings) -> Manifest:
    found = Manifest.load(folder)
    # It may have been killed between its last two steps.
    jobs.remove(folder / jobs.NAME)
    for name, value in vars(settings).items():
        if (theirs := getattr(found.settings, name)) != value:
            raise UserError(
                f"{folder} holds shards made with --{name}={theirs}, and "
                f"{value} is asked for: use another --output, or remove it"
            )
    return found


def _require_own(folder: pathlib.Path) -> None:
    """Nothing is put among the files of somebody else."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output={folder} is a file, expected a folder")
    if folder.is_dir() and not jobs.is_job(folder / jobs.NAME):
        others = sorted(path.name for path in folder.iterdir())
        if others:
            raise UserError(
                f"--output={folder} holds other files ({others[0]}): use a "
                "new folder"
            )


def _report(job: Job, progress: Callable[[str, int, int], None]) -> None:
    """Tells what the files say, whoever writes them."""
    digested, written = job.digested(), len(job.written())
    is_first = job.drops and digested < len(job.parts)
    what = "looking for duplicates" if is_first else "writing shards"
    progress(what, digested if is_first else written, len(job.parts))
