"""What a person sees while a run goes on: on stderr, a bar or lines."""

import contextlib
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress

_SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Progress on stderr: live bars on a terminal, sparse lines elsewhere."""

    def __init__(self) -> None:
        self.console = rich.console.Console(stderr=True, highlight=False)
        self._bars = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Prints a line above the bars."""
        self.console.print(line, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def counting(self, what: str, unit: str) -> Iterator[Callable[[int], None]]:
        """Work of unknown size; yields a function to call with the count."""
        task = self._bars.add_task(what, total=None, note="")
        start, most = time.monotonic(), 0

        def count(number: int) -> None:
            nonlocal most
            most = number
            self._bars.update(task, note=f"{number:,} {unit}")

        yield count
        self._bars.remove_task(task)
        if most:
            seconds = time.monotonic() - start
            self.say(f"{what}: {most:,} {unit} in {seconds:.0f} s")

    @contextlib.contextmanager
    def training(self, steps: int, first_step: int) -> Iterator["StepBar"]:
        """The steps of a run; yields the bar to update after each."""
        task = self._bars.add_task(
            "distilling", total=steps, completed=first_step, note=""
        )
        yield StepBar(self, task, steps, first_step)
        self._bars.remove_task(task)


class StepBar:
    """A run's steps, with the time left."""

    def __init__(
        self,
        progress: Progress,
        task: rich.progress.TaskID,
        steps: int,
        first_step: int,
    ):
        self._progress = progress
        self._task = task
        self._steps = steps
        self._first = first_step
        self._start = self._printed = time.monotonic()

    def update(self, step: int, loss: float) -> None:
        """Shows that `step` steps are done."""
        note = f"step {step:,} of {self._steps:,}, loss {loss:.4f}"
        bars = self._progress._bars
        bars.update(self._task, completed=step, note=note)
        now = time.monotonic()
        is_due = now - self._printed > _SECONDS_BETWEEN_LINES
        if bars.disable and (is_due or step == self._steps):
            pace = (now - self._start) / max(step - self._first, 1)
            left = pace * (self._steps - step)
            self._progress.say(f"{note}, {_duration(left)} left")
            self._printed = now


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
