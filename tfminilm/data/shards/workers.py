"""The processes of the local runner, watched: Beam waits for a dead one."""

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
    """What starts one of Beam's workers; its traces go into `folder`.

    A file tells its process as long as that lives, another that it failed.
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
    folder: pathlib.Path, work: Callable[[], None], look: Callable[[], None]
) -> None:
    """Does work with workers; ends when one of them dies.

    Args:
        folder: that of `command`.
        work: what to do, in a thread, which is left behind where it waits
            for a worker that is no more.
        look: called now and then.

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
    # Beam's threads would print that their worker is gone.
    threading.excepthook = lambda _: None
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_SECONDS)
            look()
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
    """Ends what is left; Beam would wait for it."""
    for path in _pids(folder):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(path.name.removeprefix(_PID)), signal.SIGKILL)


def _pids(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that `command` makes for processes."""
    return [
        path
        for path in folder.glob(_PID + "*")
        if path.name.removeprefix(_PID).isdecimal() and path.is_file()
    ]
