"""Silence TensorFlow, converters and runtimes that talk while they work."""

import contextlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence everything in this context; errors are still raised.

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


def import_tensorflow() -> None:
    """Import TensorFlow, and show what it prints only if that fails.

    At any log level it writes to stderr that there is no GPU and that oneDNN is
    used, which does not concern the user of a command.

    Keras is imported first: on PyTorch it loads Triton with LLVM, which aborts
    the process if TensorFlow's own LLVM is already loaded.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as greeting:
        os.dup2(greeting.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except BaseException:
            greeting.seek(0)
            os.write(stderr, greeting.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
