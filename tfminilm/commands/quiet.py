"""TensorFlow imported without its greeting."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow, and shows what it prints only if that fails.

    It tells on stderr, below Python and whatever its log level, that there is
    no GPU and that oneDNN is in use: nothing a command's user needs.

    Keras comes first: on PyTorch it loads Triton, which brings LLVM and aborts
    the process if it finds the names of TensorFlow's own LLVM taken.
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
