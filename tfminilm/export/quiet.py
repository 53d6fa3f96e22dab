"""Silence for converters and runtimes that talk while they work."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops progress notes; what goes wrong is raised anyway.

    MLIR and the LiteRT runtime write to the process' own stderr, the
    quantiser to Python's.
    """
    nowhere = io.StringIO()
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as file:
            os.dup2(file.fileno(), 2)
        with (
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        logging.disable(disabled)
