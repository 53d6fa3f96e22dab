"""Who shares a run: devices, workers and clusters, and who is refused."""

import json
import math
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tfminilm import commands
from tfminilm.errors import UsageError, UserError
from tfminilm.train import cluster, distributed, strategy


class Replicas:
    def __init__(self, count):
        self.num_replicas_in_sync = count


class Told(distributed.DistributedContext):
    """A context whose other worker said what it is told here."""

    def __init__(self, other):
        super().__init__(Replicas(2), ("a:1", "b:2"))
        object.__setattr__(self, "other", other)

    def all_gather(self, value):
        return [value, self.other]


@pytest.fixture
def environment(monkeypatch):
    """Sets TF_CONFIG to two workers, of whom this is one."""

    def set_to(index, addresses=("h:1", "i:2"), job="worker"):
        task = {"type": job, "index": index}
        content = {"cluster": {"worker": addresses}, "task": task}
        monkeypatch.setenv("TF_CONFIG", json.dumps(content))

    return set_to


@pytest.fixture
def port():
    """One that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_batch_is_shared_evenly():
    three = distributed.DistributedContext(Replicas(3))
    three.check_batch(12)
    with pytest.raises(UserError, match=r"batch_size is 32, which 3 .* of 3"):
        three.check_batch(32)
    with pytest.raises(UserError, match="gradient_accumulation is 2"):
        three.check_batch(12, parts=2)
    with pytest.raises(UserError, match="steps_per_execution is 4"):
        three.check_batch(12, steps=4)
    distributed.SINGLE_DEVICE.check_batch(7, parts=7)


def test_workers_that_differ_are_named():
    ours = {"recipe": {"train": {"batch_size": 32, "steps": 9}}}
    Told(ours).check_equal(ours)
    theirs = {"recipe": {"train": {"batch_size": 64, "steps": 9}}}
    with pytest.raises(UserError) as failure:
        Told(theirs).check_equal(ours)
    assert "worker 1 at b:2" in str(failure.value)
    assert "recipe.train.batch_size is 64 there and 32 here" in str(
        failure.value
    )


def test_one_process_agrees_with_itself():
    alone = distributed.SINGLE_DEVICE
    assert alone.all_gather({"a": 1}) == [{"a": 1}]
    assert alone.broadcast("x") == "x"
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.is_chief
    alone.barrier()


@pytest.mark.parametrize(
    ("own", "order"), [(0, ["done", "waited"]), (1, ["waited", "done"])]
)
def test_the_chief_is_first(monkeypatch, own, order):
    found = []
    monkeypatch.setattr(
        distributed.DistributedContext,
        "barrier",
        lambda one: found.append("waited"),
    )
    with distributed.DistributedContext(rank=own).chief_first():
        found.append("done")
    assert found == order


def test_a_worker_that_never_comes_is_named(port):
    addresses = [f"127.0.0.1:{port}", "127.0.0.1:1"]
    with pytest.raises(UserError, match=r"worker 1 .* 127\.0\.0\.1:1 within"):
        cluster.meet(addresses, 0, timeout=0.5)


def test_workers_meet(port):
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    failures, met = [], threading.Barrier(2)

    def come(own):
        try:
            cluster.meet(addresses, own, timeout=10)
            # As TensorFlow's server does, which takes over and speaks first.
            with cluster._listening(addresses[own]):
                met.wait(10)
        except (UserError, threading.BrokenBarrierError) as error:
            failures.append(error)

    late = threading.Timer(0.3, come, [1])
    late.start()
    come(0)
    late.join()
    assert not failures


def test_a_worker_that_is_stopped_does_not_answer(port, monkeypatch):
    """The system takes its connections, and nobody speaks."""
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 0.2)
    addresses = [f"127.0.0.1:{port + own}" for own in range(3)]
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        cluster._listening(addresses[2]),
    ):
        assert cluster.silent(addresses, 0) == [1]
        with pytest.raises(UserError, match=r"worker 1 did not answer at "):
            cluster.meet(addresses, 0, timeout=0.1)


@pytest.mark.parametrize("timeout", [math.nan, math.inf, -1.0, 1e9])
def test_a_timeout_that_never_comes(port, timeout):
    with pytest.raises(UserError, match="expected 0 to 604800 seconds"):
        cluster.meet([f"127.0.0.1:{port}", "127.0.0.1:1"], 0, timeout)


def test_an_address_for_each_worker(port):
    addresses = [f"127.0.0.1:{port}"] * 2
    with pytest.raises(UserError, match=r"1:\d+ is given to several workers"):
        cluster.meet(addresses, 0, 1.0)


def test_a_port_in_use_is_told(port):
    with (
        socket.create_server(("", port)),
        pytest.raises(UserError, match=f":{port}, but its port"),
    ):
        cluster.meet([f"127.0.0.1:{port}", "127.0.0.1:1"], 0, timeout=1)


def test_tf_config_names_the_workers(environment):
    environment(1)
    assert cluster.has_tf_config()
    found = cluster.resolver("tf_config")
    assert cluster.workers(found) == (["h:1", "i:2"], 1)


def test_the_chief_comes_first(monkeypatch):
    content = {
        "cluster": {"worker": ["w:1"], "chief": ["c:1"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(content))
    found = cluster.resolver("tf_config")
    assert cluster.workers(found) == (["c:1", "w:1"], 1)


@pytest.mark.parametrize("text", ["worker", "[1]", '{"cluster": "a:1"}'])
def test_a_broken_tf_config_is_shown(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=r"TF_CONFIG can.* expected JSON"):
        cluster.has_tf_config()


def test_a_task_outside_its_cluster_is_refused(environment):
    environment(7)
    with pytest.raises(UserError, match="worker 7"):
        cluster.workers(cluster.resolver("tf_config"))


def test_slurm_names_the_workers(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "3")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n[1-2]")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "2,1")
    addresses, own = cluster.workers(cluster.resolver("slurm"))
    assert addresses == ["n1:8888", "n1:8889", "n2:8888"]
    assert own == 1


def test_pods_find_themselves_by_address(monkeypatch):
    import tensorflow as tf

    class Pods:
        def cluster_spec(self):
            hosts = ["192.0.2.1:8470", "127.0.0.1:8470"]
            return tf.train.ClusterSpec({"worker": hosts})

    monkeypatch.setattr(cluster, "_resolver_of", lambda *_: Pods())
    _, own = cluster.workers(cluster.resolver("kubernetes:app=x"))
    assert own == 1


@pytest.mark.parametrize("kind", ["lsf", "slurm:x", "kubernetes", "gce:a/b"])
def test_unknown_clusters_are_refused(kind):
    with pytest.raises(UsageError, match="expected tf_config, slurm"):
        cluster.resolver(kind)


def test_clusters_that_are_not_here_are_told(monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(UserError, match="--cluster=slurm: SLURM_PROCID"):
        cluster.resolver("slurm")


@pytest.mark.parametrize(
    ("name", "told"), [("mirrored", "several GPUs"), ("tpu", "no TPU 'local'")]
)
def test_missing_devices_are_told(name, told):
    with pytest.raises(UserError, match=told):
        strategy.build_context(name)


def test_xla_refuses_what_keras_does_not_compile():
    class Layer:
        name = "lstm"
        supports_jit = False

    class Model:
        def _flatten_layers(self, include_self=True):
            return [Layer()]

    compiled = strategy.build_context("one", xla=True)
    with pytest.raises(UserError, match="XLA cannot compile lstm"):
        compiled.jit_compile(Model())
    Layer.supports_jit = True
    assert compiled.jit_compile(Model()) is True
    assert compiled.buckets(48) == [48]
    assert distributed.SINGLE_DEVICE.jit_compile(Model()) == "auto"
    assert distributed.SINGLE_DEVICE.buckets(48) is None


def test_tensorflow_errors_are_told_in_words():
    import tensorflow as tf

    def run(own, kind, message):
        with own.explain_errors():
            raise kind(None, None, message)

    pair = distributed.DistributedContext(Replicas(2), ("a:1", "b:2"))
    with pytest.raises(UserError, match=r"worker 1 at b:2 does not answer"):
        run(pair, tf.errors.UnavailableError, "Socket closed")
    compiled = strategy.build_context("one", xla=True)
    with pytest.raises(UserError, match=r"XLA cannot compile .* uncompilable"):
        run(compiled, tf.errors.InvalidArgumentError, "XLA: uncompilable op")
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(
            distributed.SINGLE_DEVICE,
            tf.errors.InvalidArgumentError,
            "XLA: no shape",
        )


def test_one_device_needs_no_strategy():
    assert strategy.build_context() is distributed.SINGLE_DEVICE
    assert strategy.build_context("one") is distributed.SINGLE_DEVICE


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--strategy=tpu", "--num_virtual_devices=2"], "splits a CPU"),
        (
            ["--strategy=one", "--cluster=slurm"],
            "--cluster needs",
        ),
        (["--strategy=mirrored", "--xla"], "--xla needs"),
        (["--strategy=pods"], "multi_worker"),
    ],
)
def test_flags_that_contradict_are_refused(flags, told, capsys, tmp_path):
    run = ["distill", "--config=demo:smoke", f"--workdir={tmp_path}/run"]
    assert commands.main([*run, *flags]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


WAITS = """
import ctypes, sys
from tfminilm.train import guard
with guard.guarded(float(sys.argv[1]), sys.argv[2:], 0):
    ctypes.PyDLL(None).sleep(20)  # It holds Python's lock.
"""
GOES_ON = """
import os, signal
from tfminilm.train import guard
with guard.guarded(60.0, ["127.0.0.1:1"], 0):
    pass
os.kill(os.getpid(), signal.SIGHUP)
"""


def test_what_waits_for_ever_is_ended(port):
    addresses = [f"127.0.0.1:{port + own}" for own in range(2)]
    done = subprocess.run(
        [sys.executable, "-c", WAITS, "1", *addresses],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"tfminilm: worker 1 at {addresses[1]} did not begin within 1 s: "
        "start it again; --worker_timeout waits longer\n"
    )


def test_what_is_done_in_time_goes_on():
    """And a terminal that closes ends it as before."""
    done = subprocess.run([sys.executable, "-c", GOES_ON], timeout=60)
    assert done.returncode == -signal.SIGHUP
