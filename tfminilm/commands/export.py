"""`tfminilm export`: writes a model as a bundle for a phone."""

import json
from typing import Any

from tfminilm.commands import quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Writes model.tflite, vocab.txt and manifest.json, checked."

_HELD_OUT_SENTENCES = 32


def define_flags(flags: Any) -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir, KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_config_file(
        "config", None, "Target, such as export/android_int8.py."
    )
    flags.DEFINE_string("output", None, "Folder of the bundle.")


def run(flags: Any) -> None:
    """Writes the bundle and prints how far it is from Keras.

    Raises:
        UsageError: a flag is missing.
        UserError: the model cannot be loaded or exported, or its outputs are
            not within the target's tolerance of Keras'.
    """
    from tfminilm.export.target import Target

    for name, meaning in (
        ("model", "a workdir, preset or Hugging Face folder"),
        ("config", "a target such as export/android_int8.py"),
        ("output", "the folder of the bundle"),
    ):
        if not getattr(flags, name):
            raise UsageError(f"export: expected --{name}=, {meaning}")
    target = Target.parse(flags.config)

    # TensorFlow takes seconds to import: after the flags are known to be good.
    quiet.import_tensorflow()
    from tfminilm.export import bundle
    from tfminilm.teachers import load

    backbone = load.load_backbone(flags.model)
    tokenizer = load.load_tokenizer(flags.model)
    manifest = bundle.export_bundle(
        backbone,
        tokenizer,
        target,
        flags.output,
        _held_out(flags.model) or bundle.SENTENCES,
    )
    _print(manifest, flags.output)


def _held_out(model: str) -> list[str]:
    """Sentences that a workdir's student was not trained on, if it is one."""
    from tfminilm.teachers import load

    path = load.run_folder(model) / "held_out.json"
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["sentences"][:_HELD_OUT_SENTENCES]


def _print(manifest: dict[str, Any], output: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    for title in ("output", "largest", "mean", "cosine"):
        table.add_column(
            title, justify="left" if title == "output" else "right"
        )
    for name, row in manifest["parity"]["outputs"].items():
        table.add_row(
            name,
            f"{row['max_difference']:.2g}",
            f"{row['mean_difference']:.2g}",
            f"{row['min_cosine']:.5f}",
        )
    table.caption = (
        "Difference from Keras, largest, mean and lowest cosine, on "
        f"{manifest['parity']['sentences']} sentences"
    )
    console = Console()
    console.print(table)
    lengths = [str(s["length"]) for s in manifest["signatures"].values()]
    size = manifest["files"]["model.tflite"]["bytes"]
    print(
        f"{output}: {manifest['precision']}, {size / 1e6:.1f} MB, "
        f"lengths {', '.join(sorted(lengths, key=int))}"
    )
