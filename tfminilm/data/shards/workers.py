"""The processes of the local runner, watched: Beam waits for a dead one."""

import _thread
import contextlib
import os
import pathlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator

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
        f"{shlex.quote(sys.executable)} -m "
        f"apache_beam.runners.worker.sdk_worker_main 2>>{log} & "
        f": >{pid}$!; wait $!; code=$?; rm -f {pid}$!; "
        f"test $code = 0 || echo $code >>{died}; exit $code"
    )


@contextlib.contextmanager
def watched(folder: pathlib.Path, look: Callable[[], None]) -> Iterator[None]:
    """Ends the work in the block when a worker dies, and workers with it.

    Args:
        folder: that of `command`.
        look: called now and then, from a thread.

    Raises:
        UserError: a worker died.
    """
    for path in (folder / _DIED, *folder.glob(_PID + "*")):
        path.unlink(missing_ok=True)
    over, has_died = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS):
            look()
            if (folder / _DIED).exists():
                has_died.set()
                _thread.interrupt_main()
                return

    thread = threading.Thread(target=watch, daemon=True)
    hook = threading.excepthook
    # Beam's threads would print that their worker is gone.
    threading.excepthook = lambda _: None
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if not has_died.is_set():
            raise
        raise UserError(
            "a worker process died, as when memory is short: start again to "
            "go on, with fewer of them (-- --direct_num_workers=1) or smaller "
            f"parts; what they said is in {folder / _LOG}"
        ) from None
    finally:
        over.set()
        _kill(folder)
        thread.join()
        threading.excepthook = hook


def _kill(folder: pathlib.Path) -> None:
    """Ends what is left; Beam would wait for it."""
    for path in folder.glob(_PID + "*"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(path.name.removeprefix(_PID)), signal.SIGKILL)
