"""The work on all parts as Apache Beam pipelines.

Beam only transports numbers of parts and digests, 20 bytes for each document.
The worker of a part reads its text and writes its shards. So a runner needs
little memory, however large the text is, and all workers need access to the
same folders.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.runners import runner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms import environments

from tfminilm.data.shards import duplicates, workers
from tfminilm.data.shards.job import Job
from tfminilm.errors import UsageError

_LOCAL = ("DirectRunner", "FnApiRunner")


def run(
    folder: str, runner_name: str, beam_flags: Sequence[str], numbers: list[int]
) -> None:
    """Do the remaining work of a job.

    Args:
        folder: the job's folder.
        runner_name: Beam's name of the runner. "DirectRunner" uses a process
            for each core, unless flags say otherwise.
        beam_flags: Beam's flags for the pipeline and the runner.
        numbers: the parts to write.

    Raises:
        UsageError: Beam does not know the runner or a flag.
    """
    job = Job(folder)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    if job.drops and not job.is_deduplicated():
        count = len(job.parts)
        with beam.Pipeline(
            *_runner(runner_name, beam_flags, job, count)
        ) as root:
            _deduplicate(root, folder, count)
        job.set_deduplicated()
    if count := len(numbers):
        with beam.Pipeline(
            *_runner(runner_name, beam_flags, job, count)
        ) as root:
            _parts(root, numbers) | beam.ParDo(_Write(folder))


class _OnJob(beam.DoFn):
    """Works on parts of the job in a folder."""

    def __init__(self, folder: str):
        self._folder = folder

    def setup(self) -> None:
        self._job = Job(self._folder)


class _Digest(_OnJob):
    """Maps a part's number to buckets with (number, digests)."""

    def process(self, number: int) -> Iterator[tuple[int, tuple[int, bytes]]]:
        for bucket, rows in self._job.digests(number):
            yield bucket, (number, rows)


class _SaveRepeats(_OnJob):
    """Saves (number of a part, numbers of its repeats) in a file."""

    def process(self, part_repeats: tuple[int, Iterable[bytes]]) -> None:
        number, repeats = part_repeats
        self._job.save_repeats(number, list(repeats))


class _Write(_OnJob):
    """Writes the shards of a part, given its number."""

    def process(self, number: int) -> None:
        self._job.write(number)


def _deduplicate(root: beam.Pipeline, folder: str, count: int) -> None:
    (
        _parts(root, list(range(count)))
        | "digest" >> beam.ParDo(_Digest(folder))
        | "equal ones" >> beam.GroupByKey()
        | "repeats" >> beam.FlatMapTuple(_repeats)
        | "of a part" >> beam.GroupByKey()
        | "save" >> beam.ParDo(_SaveRepeats(folder))
    )


def _repeats(
    bucket: int, rows: Iterable[tuple[int, bytes]]
) -> Iterator[tuple[int, bytes]]:
    return duplicates.repeats(rows)


def _parts(root: beam.Pipeline, numbers: list[int]) -> Any:
    """Create a collection of the numbers, spread over all workers."""
    return root | beam.Create(numbers) | beam.Reshuffle()


def _runner(
    name: str, beam_flags: Sequence[str], job: Job, count: int
) -> tuple[Any, pipeline_options.PipelineOptions]:
    """Return the runner for Beam, and its options, for so many parts.

    Beam's DirectRunner would try to download a program, Prism; the FnApiRunner
    is what it uses without it.
    """
    options = _options(beam_flags)
    if name not in _LOCAL:
        return _known_runner(name), options
    processes = min(os.cpu_count() or 1, count)
    if processes == 1 or any(
        flag.startswith("--direct_") for flag in beam_flags
    ):
        return FnApiRunner(), options
    direct = options.view_as(pipeline_options.DirectOptions)
    direct.direct_num_workers = processes
    command = workers.command(job.folder)
    environment = environments.SubprocessSDKEnvironment
    return FnApiRunner(environment.from_command_string(command)), options


def _known_runner(name: str) -> Any:
    try:
        return runner.create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"--runner={name}: {error}") from error


def _options(beam_flags: Sequence[str]) -> pipeline_options.PipelineOptions:
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            options = pipeline_options.PipelineOptions(list(beam_flags))
            options.get_all_options()
    except SystemExit:  # Raised by argparse.
        *_, last = stderr.getvalue().strip().splitlines()
        raise UsageError(f"prepare: after --: {last}") from None
    return options
