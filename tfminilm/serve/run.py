"""Load a model and serve it until a signal says to stop."""

import contextlib
import os
import pathlib
import socket
import sys
from collections.abc import Sequence

from tfminilm.errors import UserError
from tfminilm.inference.load import load
from tfminilm.inference.model import TextModel
from tfminilm.serve.settings import Limits

_BACKLOG = 2048


def load_copies(
    source: str,
    threads: int,
    max_length: int | None = None,
    part: str = "",
    labels: Sequence[str] = (),
) -> list[TextModel]:
    """Load a model as often as it is to compute at once.

    Args:
        source: as `tfminilm.load` takes it, and the others too.
        threads: batches at once; 0 for one on each core where a batch takes
            one core, as of a bundle, else 1.
        max_length: tokens of the longest sequence.
        part: "encoder" or "task".
        labels: what its classes are called.

    Raises:
        UserError: the model cannot be loaded.
    """
    first = load(source, max_length, part, labels)
    if not threads:
        threads = _cores() if first.lengths else 1
    others = [
        load(source, max_length, part, labels) for _ in range(threads - 1)
    ]
    return [first, *others]


def serve(
    models: Sequence[TextModel],
    limits: Limits,
    host: str,
    port: int,
    access_log: bool,
    stop_seconds: int,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C.

    Then no more connections are taken, and what was asked is answered.

    Args:
        models: copies of one model.
        limits: on what the server takes.
        host: address to listen on.
        port: 0 for any that is free.
        access_log: whether each request is a line on stdout.
        stop_seconds: after which a stop waits for no more answers.

    Raises:
        UserError: the packages are missing, or the address is not free.
    """
    try:
        import uvicorn

        from tfminilm.serve.app import make_app
    except ImportError as error:
        raise UserError(
            f'serve needs more packages ({error}): pip install "tfminilm'
            '[serve]"'
        ) from error
    with _listen(host, port) as listener:
        app = make_app(models, limits, name_of(models[0].source))
        config = uvicorn.Config(
            app,
            access_log=access_log,
            log_level="info" if access_log else "warning",
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=stop_seconds,
        )
        server = uvicorn.Server(config)
        shown = f"[{host}]" if ":" in host else host
        print(
            f"Serving {models[0]!r} at http://{shown}:"
            f"{listener.getsockname()[1]}/docs",
            file=sys.stderr,
            flush=True,
        )
        # The signal that stopped it comes again when all is done.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # On Linux.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def name_of(source: str) -> str:
    """Return a model's name for clients, without the folders above it."""
    return pathlib.Path(source).name or source


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=_BACKLOG
        )
    except (OSError, UnicodeError) as error:  # The latter of odd names.
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}:{port}: {reason}; "
            "expected an address of this machine and a free port, such as "
            "--host=127.0.0.1 --port=0"
        ) from error
