"""What `tfminilm serve` holds, beside a server that asks one by one.

    python benchmarks/serve.py --model=served/

Both servers run Starlette on uvicorn, each in a process of its own on the same
cores, and get the same requests in turns: --clients connections, each of which
sends one short text, waits for the answer, and sends the next. "one by one"
calls `tfminilm.load(M).predict(text)` for each request, under a lock. The
client, which is a part of the load, shares the cores. "CPU ms" is what the
server's process computes for a request: other jobs do not change it much.

With --memory=100000 the server alone gets so many requests, and what it holds
in memory is shown on the way.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import time

import _shared
import numpy as np

_WORDS = (
    "the parcel that i ordered last week never came and nobody answers my "
    "letters about it so please send the money back now"
).split()
_ADDRESS = re.compile(r"http://[\d.]+:(\d+)/")
_PATH = "/predict"
_COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


def main() -> None:
    """Start the servers, send the requests, print the tables."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(
        model=_shared.TEACHER, clients=200, requests=4000, rounds=3, words=6
    )
    parser.add_flags(threads=0, max_wait_ms=2.0, memory=0)
    parser.add_argument("--one-by-one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_by_one:
        _serve_one_by_one(options.one_by_one)
    elif options.memory:
        _show_memory(options)
    else:
        _shared.show(table(measure(options), options), 100)


def measure(options) -> dict[str, list[dict]]:
    """Return what each round of each server gives."""
    with contextlib.ExitStack() as stack:
        ports = {
            "one by one": stack.enter_context(
                _server([__file__, f"--one-by-one={options.model}"])
            ),
            "tfminilm serve": stack.enter_context(_server(_serving(options))),
        }
        measures = {
            name: functools.partial(_round, *server, options)
            for name, server in ports.items()
        }
        return _shared.in_turns(measures, options.rounds)


def _round(port: int, pid: int, options) -> dict:
    """Return how a round went, and what the server's processor did for it."""
    import psutil

    process = psutil.Process(pid)
    before = process.cpu_times()
    result = asyncio.run(
        _load(port, options.clients, options.requests, options.words)
    )
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return result | {"processor": used / options.requests}


def _serving(options) -> list[str]:
    return [
        "-c", _COMMAND, "serve", f"--model={options.model}", "--port=0",
        f"--threads={options.threads}",
        f"--max_wait_ms={options.max_wait_ms}",
    ]  # fmt: skip


@contextlib.contextmanager
def _server(arguments: list[str]):
    """Start a server, and stop it at the end; gives its port and process."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if match := _ADDRESS.search(line):
            break
        print(line, end="", file=sys.stderr)
    else:
        raise SystemExit("the server did not start")
    try:
        yield int(match[1]), process.pid
    finally:
        process.terminate()
        process.communicate()


async def _load(port: int, clients: int, requests: int, words: int) -> dict:
    """Send requests from several connections; return how that went."""
    bodies = iter(_requests(requests, words))
    seconds, statuses = [], []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in bodies:
            start = time.perf_counter()
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(size[1]))
            seconds.append(time.perf_counter() - start)
            statuses.append(int(head.split(b" ", 2)[1]))
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    whole = time.perf_counter() - start
    return {
        "per second": len(seconds) / whole,
        "p50": float(np.percentile(seconds, 50)),
        "p95": float(np.percentile(seconds, 95)),
        "errors": sum(status != 200 for status in statuses),
    }


def _requests(count: int, words: int):
    """Yield requests with short texts, of `words` to three times as many."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        size = generator.integers(words, 3 * words)
        text = " ".join(generator.choice(_WORDS, size))
        body = json.dumps({"text": text}).encode()
        yield (
            f"POST {_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            f"application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


def table(rounds: dict[str, list[dict]], options):
    """Return a table with a row for each server: medians over the rounds."""
    titles = ["requests/s", "p50 ms", "p95 ms", "errors", "times", "CPU ms"]
    made = _shared.table(["server"], titles)
    base = statistics.median(x["per second"] for x in rounds["one by one"])
    for name, found in rounds.items():
        median = {
            key: statistics.median(one[key] for one in found)
            for key in ("per second", "p50", "p95", "processor")
        }
        made.add_row(
            name,
            f"{median['per second']:.0f}",
            f"{median['p50'] * 1000:.0f}",
            f"{median['p95'] * 1000:.0f}",
            str(sum(one["errors"] for one in found)),
            f"{median['per second'] / base:.2f}",
            f"{median['processor'] * 1000:.2f}",
        )
    made.caption = (
        f"{options.model}, {options.clients} clients, {options.rounds} rounds "
        f"of {options.requests} requests, {os.cpu_count()} cores"
    )
    return made


def _show_memory(options) -> None:
    """Print what the server holds in memory, ten times on the way."""
    import psutil

    part = options.memory // 10
    with _server(_serving(options)) as (port, pid):
        process = psutil.Process(pid)
        print("requests      MB  errors  requests/s", flush=True)
        done = errors = 0
        # The first ones fill the allocator's pools.
        for count in (options.clients * 10, *[part] * 10):
            found = asyncio.run(
                _load(port, options.clients, count, options.words)
            )
            done += count
            errors += found["errors"]
            size = process.memory_info().rss / 1e6
            print(
                f"{done:8} {size:7.1f} {errors:7} {found['per second']:11.0f}",
                flush=True,
            )


def _serve_one_by_one(source: str) -> None:
    """Serve a model as one would first write it."""
    import socket
    import threading

    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    import tfminilm
    from tfminilm.serve.bodies import as_json

    model, lock = tfminilm.load(source), threading.Lock()

    def ask(text: str):
        with lock:
            return model.predict(text)

    async def predict(request):
        body = await request.json()
        found = await run_in_threadpool(ask, body["text"])
        return JSONResponse({"prediction": as_json(found)})

    app = Starlette(routes=[Route(_PATH, predict, methods=["POST"])])
    ask("warm up")
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    port = listener.getsockname()[1]
    print(f"http://127.0.0.1:{port}/", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
