"""`tfminilm formats`: say which clients can run a student, by trying."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
    rows = []
    for name in targets:
        print(f"{name} ...", flush=True)
        rows.append((CLIENTS[name], name, *_tried(source, name)))
    _print(rows)


def _tried(source: "Exportable", name: str) -> tuple[str, str]:
    """Return the sizes that a target writes, and how near to Keras it is.

    Of a target that cannot be written there is the reason in place of these.
    """
    from tfminilm.export.check import calibration
    from tfminilm.export.target import Target
    from tfminilm.export.write import write

    target = Target.parse(load_recipe(name))
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
            return "-", f"no: {error}"
        except Exception as error:  # The others are tried all the same.
            return "-", f"no: {type(error).__name__}: {in_one_line(error)}"
    return _sizes(manifest), _checks(manifest)


def _parities(manifest: "Manifest") -> "Mapping[str, Parity | None]":
    return getattr(manifest, "parities", None) or {"": manifest.parity}


def _sizes(manifest: "Manifest") -> str:
    files = manifest.files
    if whole := [name for name in _parities(manifest) if name in files]:
        sizes = [files[name].bytes for name in whole]
    else:
        sizes = [max(file.bytes for file in files.values())]
    return " + ".join(f"{size / 1e6:.1f}" for size in sizes)


def _checks(manifest: "Manifest") -> str:
    """Sum up what was compared with Keras, a line a file."""
    lines = []
    for name, parity in _parities(manifest).items():
        if parity is None:
            continue
        outputs = parity.outputs.values()
        cosine = min(output.min_cosine for output in outputs)
        line = f"{name}: " * bool(name) + f"cosine {cosine:.4f}"
        answers = [x.agreement for x in outputs if x.agreement is not None]
        if answers:
            line += f", {min(answers):.0%} same answers"
        lines.append(f"{line}, {parity.sentences} texts")
    return "\n".join(lines)


def _print(rows: "Sequence[tuple[str, str, str, str]]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    for title in ("client", "target", "MB", "compared with Keras"):
        table.add_column(title, justify="right" if title == "MB" else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    table.caption = (
        "Lowest cosine with Keras of any vector; tfminilm export --config="
        + "TARGET writes one. KerasHub reads the model itself; tfminilm web "
        "and serve take a bundle"
    )
    Console().print(table)
