"""Show how far a run is: on stderr, a bar or lines."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import rich.console
import rich.progress

_SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Show progress on stderr: bars on a terminal, sparse lines elsewhere.

    Args:
        quiet: shows nothing.
    """

    def __init__(self, quiet: bool = False):
        self.console = rich.console.Console(
            stderr=True, highlight=False, quiet=quiet
        )
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
        """Print a line above the bars."""
        self.console.print(line, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[rich.progress.TaskID]:
        """Show work of unknown size, on a terminal only."""
        task = self._bars.add_task(what, total=None, note="")
        try:
            yield task
        finally:
            self._bars.remove_task(task)

    @contextlib.contextmanager
    def counting(self, what: str, unit: str) -> Iterator[Callable[[int], None]]:
        """Show work of unknown size; yield a function that takes the count."""
        start, most = time.monotonic(), 0
        with self.working(what) as task:

            def count(number: int) -> None:
                nonlocal most
                most = number
                self._bars.update(task, note=f"{number:,} {unit}")

            yield count
        if most:
            seconds = time.monotonic() - start
            self.say(f"{what}: {most:,} {unit} in {seconds:.0f} s")

    @contextlib.contextmanager
    def pieces(self, unit: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show work of known size, in steps; yield a function that takes it.

        It takes what is being done, how many pieces of that are done, and how
        many there are.
        """
        with self.working("") as task:
            start, started, printed, what = 0, 0.0, 0.0, ""

            def show(step: str, done: int, total: int) -> None:
                nonlocal start, started, printed, what
                now = time.monotonic()
                if step != what:
                    what, start, started, printed = step, done, now, now
                note = f"{done:,} of {total:,} {unit}"
                self._bars.update(
                    task,
                    description=what,
                    completed=done,
                    total=total,
                    note=note,
                )
                is_due = now - printed > _SECONDS_BETWEEN_LINES
                if self._bars.disable and is_due and done > start:
                    left = (now - started) / (done - start) * (total - done)
                    self.say(f"{what}: {note}, {_duration(left)} left")
                    printed = now

            yield show

    @contextlib.contextmanager
    def training(
        self, steps: int, first_step: int, what: str = "training"
    ) -> Iterator["StepBar"]:
        """Show the steps of a run; yield the bar to update after each."""
        task = self._bars.add_task(
            what, total=steps, completed=first_step, note=""
        )
        try:
            yield StepBar(self, task, steps)
        finally:
            self._bars.remove_task(task)


class StepBar:
    """Show a run's steps, with the time left."""

    def __init__(
        self, progress: Progress, task: rich.progress.TaskID, steps: int
    ):
        self._progress = progress
        self._task = task
        self._steps = steps
        self._first: tuple[int, float] | None = None
        self._printed = time.monotonic()
        self._speed = ""
        self._measures = False

    def update(self, step: int, loss: float) -> None:
        """Show that `step` steps are done; after some, the time left."""
        note = f"step {step:,} of {self._steps:,}, loss {loss:.4f}"
        bars = self._progress._bars
        bars.update(self._task, completed=step, note=note + self._speed)
        # Counted from here: the first step is mostly tracing.
        self._first = self._first or (step, time.monotonic())

    def report(
        self,
        step: int,
        losses: Mapping[str, float],
        tokens_per_second: float,
        share: Callable[[float], float],
    ) -> None:
        """Print a line, or change the bar, unless it did so just now.

        Args:
            step: steps done.
            losses: means of the last steps: the loss and its terms.
            tokens_per_second: of these steps.
            share: given that, the share of the machine's matrix rate.
        """
        now = time.monotonic()
        is_due = now - self._printed > _SECONDS_BETWEEN_LINES
        if not is_due and step != self._steps:
            return
        self._speed = f", {tokens_per_second:,.0f} tokens/s"
        # Measuring the machine takes a moment: too long for a short run.
        self._measures = self._measures or is_due
        if self._measures and (part := share(tokens_per_second)):
            self._speed += f", {part:.0%} of the matrix rate"
        self._printed = now
        if self._progress._bars.disable:
            shown = {"loss": losses["loss"], **losses}  # The sum comes first.
            terms = ", ".join(f"{key} {x:.4f}" for key, x in shown.items())
            self._progress.say(
                f"step {step:,} of {self._steps:,}: {terms}{self._speed}"
                + self._left(step, now)
            )

    def _left(self, step: int, now: float) -> str:
        if self._first is None or step == self._first[0]:
            return ""
        first, start = self._first
        left = (now - start) / (step - first) * (self._steps - step)
        return f", {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
