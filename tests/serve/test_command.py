"""`tfminilm serve`, as a user starts and stops it."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.serve import run
from tfminilm.serve.settings import Limits

COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


def test_bad_flags_are_refused_before_the_model_is_loaded(capsys):
    assert main(["serve"]) == 2
    assert main(["serve", "--model=M", "--max_batch=12"]) == 2
    assert main(["serve", "--model=M", "--host="]) == 2
    first, second, third = capsys.readouterr().err.splitlines()
    assert "--host is empty" in third
    assert "--model=" in first
    assert "power of two" in second


def test_an_address_that_is_not_free_is_refused(steered):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on .*:{port}: "):
            run.serve([steered], Limits(), "127.0.0.1", port, False, 1)


def test_an_address_that_is_none_is_refused(steered):
    with pytest.raises(UserError, match=r"cannot listen on a\.\.b:0: "):
        run.serve([steered], Limits(), "a..b", 0, False, 1)


@contextlib.contextmanager
def serving(*flags):
    """A server of a small model that starts with one line on stderr.

    Gives the process and its port.
    """
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # That of the tests.
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", "--port=0", *flags],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        match = re.fullmatch(r"Serving .*http://127.0.0.1:(\d+)/docs\n", line)
        assert match, line
        yield process, int(match[1])
    finally:
        process.kill()
        process.communicate()


def post(port, body, path="/embed"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.slow
def test_many_requests_are_held_and_a_stop_answers_those_that_wait():
    with serving("--model=tiny:bert", "--max_wait_ms=50") as (process, port):
        with concurrent.futures.ThreadPoolExecutor(200) as threads:
            bodies = [{"text": "a cat " * (1 + i % 30)} for i in range(1000)]
            answers = [*threads.map(lambda body: post(port, body), bodies)]
            assert {status for status, _ in answers} == {200}
            # Alike, whatever else was in their batches.
            for (_, one), (_, other) in zip(
                answers[:30], answers[30:60], strict=True
            ):
                assert one["embedding"] == pytest.approx(
                    other["embedding"], abs=1e-5
                )
            texts = {"texts": [f"a cat {i}" for i in range(256)]}
            asked = [threads.submit(post, port, texts) for _ in range(20)]
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            statuses = [one.result()[0] for one in asked]
        assert process.wait(30) == 0
        out, err = process.communicate()
    assert statuses == [200] * 20
    assert (out, err) == ("", "")


@pytest.mark.slow
def test_slow_and_broken_requests_do_not_stop_the_others():
    with serving("--model=tiny:bert") as (process, port):
        slow = socket.create_connection(("127.0.0.1", port))
        slow.sendall(b"POST /embed HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        for broken in (b"\x00\xff\r\n\r\n", b"POST /embed HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as other:
                other.sendall(broken)
                assert other.recv(12)[9:12] in (b"400", b"422")
        assert post(port, {"text": "a cat"})[0] == 200
        slow.settimeout(20)
        assert slow.recv(12).endswith(b"408")
        slow.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        out, err = process.communicate()
    assert (out, err) == ("", "WARNING:  Invalid HTTP request received.\n")
