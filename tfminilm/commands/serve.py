"""`tfminilm serve`: answer requests over HTTP."""

from absl import flags

from tfminilm import quiet
from tfminilm.commands import task_flags
from tfminilm.errors import UsageError
from tfminilm.serve.settings import Limits

DESCRIPTION = "Serves a model over HTTP, for trials and small services."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir of distill or finetune, KerasHub preset, Hugging Face folder, "
        "or what export wrote: a bundle, its .zip, an ONNX file or folder, "
        "or a SavedModel.",
    )
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.")
    flags.DEFINE_integer(
        "port", 8000, "Port; 0 for any that is free.", 0, 65535
    )
    flags.DEFINE_integer(
        "threads",
        0,
        "Batches that are computed at once, each by a copy of the model; by "
        "default one for each core of a bundle, whose batch takes one core, "
        "and else 1.",
        0,
        256,
    )
    _define_limits(flags)
    flags.DEFINE_integer(
        "max_length", None, "Tokens at which a text is cut.", lower_bound=1
    )
    task_flags.define_head(flags)
    flags.DEFINE_bool("access_log", False, "Print a line for each request.")
    flags.DEFINE_integer(
        "stop_seconds",
        30,
        "Seconds in which what was asked is answered after SIGTERM.",
        1,
    )


def _define_limits(flags: flags.FlagValues) -> None:
    """Define how much the server takes at once."""
    usual = Limits()
    flags.DEFINE_integer(
        "max_batch",
        usual.max_batch,
        "Texts that are read together: a power of two.",
        1,
        1024,
    )
    flags.DEFINE_float(
        "max_wait_ms",
        usual.max_wait_ms,
        "Milliseconds that a text waits for others of its length.",
        0,
        10_000,
    )
    flags.DEFINE_integer(
        "max_concurrency",
        usual.max_concurrency,
        "Requests that are answered or wait at once; one more is told to come "
        "back (503).",
        1,
    )
    flags.DEFINE_integer(
        "max_body", usual.max_body, "Bytes of a request.", 1, 2**30
    )
    flags.DEFINE_integer("max_texts", usual.max_texts, "Texts of a request.", 1)
    flags.DEFINE_integer(
        "max_characters",
        usual.max_characters,
        "Characters of a text, or of two that are read together.",
        1,
    )


def run(flags: flags.FlagValues) -> None:
    """Serve a model until a signal comes.

    Raises:
        UsageError: a flag is missing, or cannot be used.
        UserError: the model, or the address, cannot be used.
    """
    if not flags.model:
        raise UsageError(
            "serve: expected --model=, such as a workdir or a bundle"
        )
    if not flags.host:  # Sockets take it for all of the machine's addresses.
        raise UsageError(
            "serve: --host is empty, expected an address, such as 127.0.0.1, "
            "or 0.0.0.0 for all"
        )
    if flags.max_batch & (flags.max_batch - 1):
        raise UsageError(
            f"serve: --max_batch={flags.max_batch}, expected a power of two, "
            "such as 32"
        )
    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.serve import run

    limits = Limits(
        max_batch=flags.max_batch,
        max_wait_ms=flags.max_wait_ms,
        max_concurrency=flags.max_concurrency,
        max_body=flags.max_body,
        max_texts=flags.max_texts,
        max_characters=flags.max_characters,
    )
    models = run.load_copies(
        flags.model,
        flags.threads,
        flags.max_length,
        getattr(flags, "as") or "",
        flags.labels or (),
    )
    run.serve(
        models,
        limits,
        flags.host,
        flags.port,
        flags.access_log,
        flags.stop_seconds,
    )
