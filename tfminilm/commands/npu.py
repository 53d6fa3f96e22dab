"""`tfminilm npu`: compile a student for a phone's neural processor."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from tfminilm import files, quiet
from tfminilm.errors import UsageError, UserError

if TYPE_CHECKING:
    from tfminilm.export.litert import npu

DESCRIPTION = "Compiles a bundle for neural processors of Qualcomm's chips."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string("model", None, "A bundle, or a .tflite file.")
    flags.DEFINE_list(
        "chip", None, "The chips to compile for, such as SM8750,SM8650."
    )
    flags.DEFINE_string("output", None, "Folder of the files, one a chip.")


def run(flags: flags.FlagValues) -> None:
    """Write a file a chip, and say what its processor takes.

    Raises:
        UsageError: a flag is missing.
        UserError: the file, a chip or a package is missing, or the compiler
            refuses the file.
    """
    for name, meaning in (
        ("model", "a bundle or a .tflite file"),
        ("chip", "such as SM8750, Snapdragon 8 Elite"),
        ("output", "the folder to write"),
    ):
        if not getattr(flags, name):
            raise UsageError(f"npu: expected --{name}=, {meaning}")
    model = _file(pathlib.Path(flags.model))
    quiet.import_tensorflow()
    from tfminilm.export.litert import npu

    for chip in flags.chip:  # All of them, before the first takes minutes.
        npu.require_chip(chip)
    folder = pathlib.Path(flags.output)
    folder.mkdir(parents=True, exist_ok=True)
    for chip in flags.chip:
        path = folder / f"model_{chip}.tflite"
        shares = npu.compile_file(model, chip, path)
        print(f"{path}: {files.megabytes(path.stat().st_size)}")
        _print(shares)


def _file(path: pathlib.Path) -> pathlib.Path:
    if path.is_dir():
        path = path / "model.tflite"
    if not path.is_file():
        raise UserError(
            f"no such file: {path}; expected a .tflite file or a bundle"
        )
    return path


def _print(shares: Sequence["npu.Share"]) -> None:
    for number, share in enumerate(shares):
        left = ", ".join(f"{n} {kind}" for kind, n in share.left.items())
        print(
            f"  signature {number}: {share.taken} of {share.operators} "
            f"operators in {share.partitions} pieces"
            + (f"; on other cores: {left}" if left else "")
        )
