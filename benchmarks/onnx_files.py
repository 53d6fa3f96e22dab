"""Compares the ONNX files that one encoder is exported as.

    python benchmarks/onnx_files.py [--texts=FILE] [--rounds=15]

Exports the targets `server_onnx` and `sentence_transformers`, and rounds both
float32 files by onnxruntime's own `quantize_dynamic` as well. Prints each
file's size, its time for a text of each length on one thread, in turns, and the
cosine of each token's state with that of the float32 file, on the lines of FILE
(without it there are no cosines).
"""

import pathlib
import statistics
import tempfile
from collections.abc import Mapping
from typing import Any

import _shared
import numpy as np

LENGTHS = (16, 32, 128)
# What `server_onnx` calls its inputs and its states, and the Hub's layout.
NAMES = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}
STATES = ("last_hidden_state", "sequence_output")


class File:
    """An ONNX file on one thread."""

    def __init__(self, path: pathlib.Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options)
        self._inputs = self._session.get_inputs()
        outputs = {each.name for each in self._session.get_outputs()}
        (self._states,) = outputs.intersection(STATES)
        self.megabytes = path.stat().st_size / 1e6

    def __call__(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the states `[batch, length, hidden_dim]`."""
        values = dict(batch) | {NAMES[name]: x for name, x in batch.items()}
        given = {
            each.name: values[each.name].astype(
                "int64" if "int64" in each.type else "int32"
            )
            for each in self._inputs
        }
        return self._session.run([self._states], given)[0]


def files_of(model: str, folder: pathlib.Path) -> dict[str, File]:
    """Export a model, and return its files by their names in the table."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from tfminilm import commands

    targets = "server_onnx,sentence_transformers"
    arguments = [f"--model={model}", f"--output={folder}"]
    if commands.main(["export", f"--config={targets}", *arguments]):
        raise SystemExit("the export failed")
    server = folder / "server_onnx/model.onnx"
    ours = folder / "sentence_transformers/onnx/model.onnx"
    rounded = {}
    for name, path, a_channel in (
        ("quantize_dynamic of it", server, False),
        ("quantize_dynamic of it, a scale a channel", ours, True),
    ):
        rounded[name] = folder / f"{len(rounded)}.onnx"
        quantize_dynamic(
            path,
            rounded[name],
            per_channel=a_channel,
            weight_type=QuantType.QInt8,
        )
    first, second = rounded
    paths = {
        "server_onnx, float32": server,
        first: rounded[first],
        "model.onnx, float32": ours,
        second: rounded[second],
        "model_quantized.onnx": ours.with_name("model_quantized.onnx"),
    }
    return {name: File(path) for name, path in paths.items()}


def cosines(
    files: Mapping[str, File], model: str, texts: list[str]
) -> dict[str, tuple[float, float]]:
    """Return the lowest and the mean cosine of a token's state, by file."""
    from tfminilm import teachers
    from tfminilm.export.check import calibration

    tokenizer = teachers.load_tokenizer(model)
    found: dict[str, list[np.ndarray]] = {name: [] for name in files}
    for text in texts:
        batch = calibration.batch(tokenizer, [(text,)], max(LENGTHS))
        count = int(batch["padding_mask"].sum())
        batch = {name: x[:, :count] for name, x in batch.items()}
        states = {name: file(batch)[0] for name, file in files.items()}
        wanted = states["model.onnx, float32"]
        for name, got in states.items():
            norms = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
            found[name].append((got * wanted).sum(1) / norms)
    rows = {name: np.concatenate(each) for name, each in found.items()}
    return {name: (x.min(), x.mean()) for name, x in rows.items()}


def main() -> None:
    """Export, measure, and print a table."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(model=_shared.TEACHER, texts="", rounds=15)
    parser.add_clock()
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = files_of(flags.model, pathlib.Path(name))
        clock = _shared.CLOCKS[flags.clock]
        times: dict[int, dict[str, list[float]]] = {}
        for length in LENGTHS:
            batch = _shared.random_batch(1, length)

            def measure(file: File, batch: Any = batch) -> float:
                return _shared.seconds(lambda: file(batch), clock)

            measures = {
                name: lambda file=file, measure=measure: measure(file)
                for name, file in files.items()
            }
            times[length] = _shared.in_turns(measures, flags.rounds)
        lines = []
        if flags.texts:
            content = pathlib.Path(flags.texts).read_text("utf-8")
            lines = [x for x in content.splitlines() if x.strip()]
        near = cosines(files, flags.model, lines) if lines else {}
    titles = [f"{length} tokens, ms" for length in LENGTHS]
    shown = _shared.table(["file"], ["MB", *titles, "lowest cosine", "mean"])
    for name, file in files.items():
        medians = [
            f"{1000 * statistics.median(times[n][name]):.1f}" for n in LENGTHS
        ]
        ends = [f"{x:.4f}" for x in near[name]] if near else ["", ""]
        shown.add_row(name, f"{file.megabytes:.1f}", *medians, *ends)
    shown.caption = (
        f"{flags.rounds} rounds in turns, medians, {flags.clock} clock, one "
        f"thread, {len(lines)} lines; {_shared.processor()}"
    )
    _shared.show(shown, 110)


if __name__ == "__main__":
    main()
