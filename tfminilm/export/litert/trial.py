"""Run a LiteRT file in a process of its own first, which it may end.

LiteRT checks little of a file: a damaged one can end the process that runs
it. What gets through here runs in the caller's process then, as fast as ever.
"""

import os
import signal
import subprocess
import sys

from tfminilm.errors import UserError

_MOST_SECONDS = 600
# So that an error of Python's own is told from a file that is refused.
_REFUSED = 3


def require_runs(path: str | os.PathLike) -> None:
    """Run each signature of a file once, somewhere else.

    Args:
        path: a `.tflite` file.

    Raises:
        UserError: it is no LiteRT encoder, or the process that runs it dies.
    """
    command = [sys.executable, "-m", __spec__.name, os.fspath(path)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _broken(path, f"it runs for over {_MOST_SECONDS} s") from None
    if done.returncode == _REFUSED:
        raise UserError(done.stdout.decode(errors="replace").strip())
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise _broken(path, f"LiteRT ended with {name} in running it")
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise _broken(path, "".join(lines[-1:])[:200])


def _broken(path: str | os.PathLike, fault: str) -> UserError:
    return UserError(
        f"{path} is damaged: {fault}; export the model again, or copy the "
        "file once more"
    )


def _run(path: str) -> None:
    from tfminilm.export.litert.runner import LiteRTEncoder

    encoder = LiteRTEncoder(path)
    for length in encoder.lengths:
        encoder([1] * length)


if __name__ == "__main__":
    try:
        _run(sys.argv[1])
    except UserError as error:
        print(error)
        sys.exit(_REFUSED)
