"""A process that ends another one which waits for workers that never come.

While TensorFlow makes its cluster it holds Python's lock: no thread and no
signal handler of the process that waits can end that.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tfminilm.train import cluster


@contextlib.contextmanager
def guarded(
    timeout: float, addresses: Sequence[str], own: int
) -> Iterator[None]:
    """Ends this process with a sentence if the block takes too long.

    Args:
        timeout: seconds.
        addresses: of all workers, of whom those that are silent are named.
        own: the place of this one among them.
    """
    command = [sys.executable, "-m", __name__]
    numbers = map(str, (os.getpid(), timeout, own))
    process = subprocess.Popen(
        [*command, *numbers, *addresses], stdin=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.communicate()  # Closes what it listens to.


def main() -> None:
    """Waits for its standard input to close, or ends its parent."""
    pid, timeout, own, *addresses = sys.argv[1:]
    ready, *_ = select.select([sys.stdin], [], [], float(timeout))
    if ready:
        return
    silent = cluster.silent(addresses, int(own))
    called = [f"worker {place} at {addresses[place]}" for place in silent]
    print(
        f"tfminilm: {' and '.join(called) or 'a worker'} did not begin within "
        f"{float(timeout):g} s: start it again; --worker_timeout waits longer",
        file=sys.stderr,
        flush=True,
    )
    os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    main()
