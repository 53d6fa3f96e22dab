"""End a process that waits for workers that never come.

While TensorFlow makes its cluster it holds Python's lock: no thread and no
Python signal handler of the process that waits can end that. The C library's
`_exit` can, as the handler of a signal: it ends the process with the signal's
number, and that of SIGHUP is 1, the code of every failure.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tfminilm.train import cluster


@contextlib.contextmanager
def guarded(
    timeout: float, addresses: Sequence[str], rank: int
) -> Iterator[None]:
    """End this process with a sentence if the block takes too long.

    Args:
        timeout: seconds.
        addresses: of all workers, of whom those that are silent are named.
        rank: the place of this one among them.
    """
    command = [sys.executable, "-m", __name__]
    numbers = map(str, (os.getpid(), timeout, rank))
    process = subprocess.Popen(
        [*command, *numbers, *addresses], stdin=subprocess.PIPE
    )
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    end = ctypes.cast(libc._exit, ctypes.c_void_p)
    before = libc.signal(signal.SIGHUP, end)
    try:
        yield
    finally:
        process.communicate()  # Closes what it listens to.
        libc.signal(signal.SIGHUP, before)


def main() -> None:
    """Wait for the standard input to close, or end the parent process."""
    pid, timeout, rank, *addresses = sys.argv[1:]
    ready, *_ = select.select([sys.stdin], [], [], float(timeout))
    if ready:
        return
    silent = cluster.silent(addresses, int(rank))
    names = [f"worker {each} at {addresses[each]}" for each in silent]
    print(
        f"tfminilm: {' and '.join(names) or 'a worker'} did not begin within "
        f"{float(timeout):g} s: start it again; --worker_timeout waits longer",
        file=sys.stderr,
        flush=True,
    )
    os.kill(int(pid), signal.SIGHUP)


if __name__ == "__main__":
    main()
