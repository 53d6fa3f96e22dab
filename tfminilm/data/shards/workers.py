"""Watch the local runner's processes, as Beam waits for a dead one."""

import contextlib
import os
import pathlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable

from tfminilm.errors import UserError

_LOG, _PID, _DIED = "workers.log", "worker-", "workers.died"
_SECONDS = 0.5


def command(folder: pathlib.Path) -> str:
    """Return the command that starts a Beam worker and its state files.

    In `folder` one file exists as long as the process lives, and another one is
    written if it fails.
    """
    log, pid, died = (
        shlex.quote(str(folder / name)) for name in (_LOG, _PID, _DIED)
    )
    return (
        f"exec 2>>{log}; {shlex.quote(sys.executable)} -m "
        "apache_beam.runners.worker.sdk_worker_main & "
        f": >{pid}$!; wait $!; code=$?; rm -f {pid}$!; "
        f"test $code = 0 || echo $code >>{died}; exit $code"
    )


def run(
    folder: pathlib.Path, work: Callable[[], None], report: Callable[[], None]
) -> None:
    """Do work with worker processes, and stop when one of them dies.

    Args:
        folder: the folder of `command`.
        work: runs in a thread, which is abandoned if a worker dies, as it
            would wait for that worker forever.
        report: called regularly.

    Raises:
        UserError: a worker died.
    """
    for path in (folder / _DIED, *_pids(folder)):
        path.unlink(missing_ok=True)
    failures: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    hook = threading.excepthook
    # Beam's threads would print errors about the dead worker.
    threading.excepthook = lambda _: None
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_SECONDS)
            report()
            if thread.is_alive() and (folder / _DIED).exists():
                raise UserError(
                    "a worker process died, as when memory is short: start "
                    "again to go on, with fewer of them "
                    "(-- --direct_num_workers=1); what they said is in "
                    f"{folder / _LOG}"
                )
        threading.excepthook = hook
    finally:
        _kill(folder)
    if failures:
        raise failures[0]


def _kill(folder: pathlib.Path) -> None:
    """Kill the remaining workers, as Beam would wait for them."""
    for path in _pids(folder):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(path.name.removeprefix(_PID)), signal.SIGKILL)


def _pids(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that `command` makes for living processes."""
    return [
        path
        for path in folder.glob(_PID + "*")
        if path.name.removeprefix(_PID).isdecimal() and path.is_file()
    ]
