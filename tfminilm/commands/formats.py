"""`tfminilm formats`: say which clients can run a student, by trying."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from absl import flags

from tfminilm import quiet
from tfminilm.commands import task_flags
from tfminilm.commands.recipes import load_recipe
from tfminilm.errors import UsageError, UserError, in_one_line

if TYPE_CHECKING:
    from tfminilm.export.manifest import Manifest, Parity
    from tfminilm.export.source import Exportable

DESCRIPTION = "Says which clients can run a student, and how near to Keras."

# Who runs what a target writes; each target is a recipe in `export/`.
CLIENTS = {
    "android_int8": "Android app, LiteRT",
    "mediapipe_classifier": "MediaPipe TextClassifier",
    "mediapipe_embedder": "MediaPipe TextEmbedder",
    "task_library": "TFLite Task Library",
    "hugging_face": "transformers (PyTorch)",
    "sentence_transformers": "sentence-transformers, optimum, "
    "Text Embeddings Inference",
    "transformers_js": "transformers.js, optimum",
    "onnx_int8": "onnxruntime, int8",
    "server_onnx": "onnxruntime",
    "server_saved_model": "TensorFlow Serving",
}


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model", None, "What `export` takes: a workdir, preset or folder."
    )
    task_flags.define_head(flags)
    flags.DEFINE_list("targets", list(CLIENTS), "Those to try, between commas.")


def run(flags: flags.FlagValues) -> None:
    """Write the model for each target, for a moment, and print a table.

    Raises:
        UsageError: a flag is missing, or there is no such target.
        UserError: the model cannot be loaded.
    """
    if not flags.model:
        raise UsageError(
            "formats: expected --model=, a workdir, preset or Hugging Face "
            "folder"
        )
    targets = list(dict.fromkeys(map(str.strip, flags.targets)))
    for name in targets or [""]:
        if name not in CLIENTS:
            raise UsageError(
                f"formats: no target {name!r}, expected {', '.join(CLIENTS)}"
            )
    quiet.import_tensorflow()
    from tfminilm.export.source import load_exportable
    from tfminilm.train import at_step

    source = load_exportable(
        at_step.folder_of(flags.model),
        getattr(flags, "as") or "",
        flags.labels or (),
    )
    tried = {}
    for name in targets:
        print(f"{name} ...", flush=True)
        tried[name] = _tried(source, name)
    _print(tried)


class Written(NamedTuple):
    """A file that a target writes: its size, and how near to Keras it is."""

    name: str
    megabytes: float
    check: str


def _tried(source: "Exportable", name: str) -> list[Written] | str:
    """Return what a target writes, or the reason why it cannot.

    A flag without which the target would refuse the model is told, too.
    """
    from tfminilm.export.check import calibration
    from tfminilm.export.target import Target
    from tfminilm.export.text_tasks import clients
    from tfminilm.export.write import write

    usual = Target.parse(load_recipe(name))
    target = clients.fitted(usual, source.settings)
    is_fitted = target != usual
    model = source.model
    most = getattr(model, "backbone", model).max_sequence_length
    lengths = sorted({min(length, most) for length in target.lengths})
    target = dataclasses.replace(target, lengths=tuple(lengths))
    with tempfile.TemporaryDirectory(prefix="tfminilm-formats-") as folder:
        output = pathlib.Path(folder, name)
        try:
            manifest = write(
                source, target, output, calibration.SENTENCES, name
            )
        except UserError as error:
            return str(error)
        except Exception as error:  # The others are tried all the same.
            return f"{name}: {type(error).__name__}: {in_one_line(error)}"
    files = _files(manifest)
    if is_fitted:
        (length,) = target.lengths
        flag = f"--config.lengths={length}: "
        files = [x._replace(check=flag + x.check) for x in files]
    return files


def _files(manifest: "Manifest") -> list[Written]:
    """Return the files that were compared with Keras, at least one."""
    parities = getattr(manifest, "parities", None) or {"": manifest.parity}
    largest = max(file.bytes for file in manifest.files.values())
    sizes = {name: file.bytes for name, file in manifest.files.items()}
    return [
        Written(name, sizes.get(name, largest) / 1e6, _check(parity))
        for name, parity in parities.items()
    ]


def _check(parity: "Parity | None") -> str:
    if parity is None:
        return ""
    outputs = parity.outputs.values()
    line = f"cosine {min(output.min_cosine for output in outputs):.4f}"
    answers = [x.agreement for x in outputs if x.agreement is not None]
    return line + (f", {min(answers):.0%} same answers" if answers else "")


def _print(tried: "Mapping[str, list[Written] | str]") -> None:
    """Print a table of what was written, and why the others were not."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("target", no_wrap=True)
    table.add_column("client")
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("compared with Keras")
    for name, files in tried.items():
        rows = [] if isinstance(files, str) else files
        several = len(rows) != 1
        if several:
            note = "" if rows else "no, see below"
            table.add_row(name, CLIENTS[name], "", note)
        for file in rows:
            first = (
                ("", f"  {pathlib.Path(file.name).name}")
                if several
                else (name, CLIENTS[name])
            )
            cells = (*first, f"{file.megabytes:.1f}", file.check)
            table.add_row(*map(Text, cells))
    console = Console()
    console.print(table)
    for reason in tried.values():
        if isinstance(reason, str):
            console.print(Text(f"no: {reason}"))
    console.print(
        "Cosines are the lowest of any vector. tfminilm export "
        "--config=TARGET writes a target; KerasHub reads the model itself; "
        "tfminilm web and serve take a bundle.",
        highlight=False,
    )
