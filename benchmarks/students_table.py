"""All students beside BERT-base: size, arithmetic, and time on this machine.

    python benchmarks/students_table.py

Weights are random: they change neither sizes nor times. To keep the files
small, their tables of tokens have a thousand rows; the sizes printed are those
of the vocabulary asked for, whose further rows are counted exactly: four or two
bytes a number, or one or a half and twelve bytes of scale a row. Files give the
states of all tokens, and are timed in turns. "published" is the speed-up over
BERT-base that the papers measured, on a GPU, or on a phone for the MobileBERTs;
"FLOPs" the ratio of the arithmetic, which is what a machine could reach that
does nothing but matrix products, each equally well. `--clock=processor` leaves
the time of other programs out.
"""

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import _shared
from rich.table import Table

from tfminilm import students
from tfminilm.export.litert import latency, profile, quantize
from tfminilm.export.litert.convert import convert
from tfminilm.report.describe import describe

_SMALL_VOCABULARY = 1000

# What a row of the table of tokens takes: bytes a number, and of scales.
_PRECISIONS = {
    "float32": (4, 0),
    "float16": (2, 0),
    "dynamic_wi8_afp32": (1, 12),
    "dynamic_wi4_afp32": (0.5, 12),
}
_TIMED = ("float32", "dynamic_wi8_afp32")


def _bert(layers: int, width: int, inner: int | None = None) -> Callable:
    def build(**options: Any) -> Any:
        return students.bert(
            num_layers=layers,
            hidden_dim=width,
            intermediate_dim=inner,
            **options,
        )

    return build


# By name: the published speed-up, and what builds the student.
STUDENTS: dict[str, tuple[str, Callable]] = {
    "BERT-base": ("1.0", _bert(12, 768)),
    "MiniLM 6x768": ("2.0", _bert(6, 768)),
    "MiniLM 12x384": ("2.7", _bert(12, 384)),
    "MiniLM 6x384": ("5.3", _bert(6, 384)),
    "MiniLM 4x384": ("7.8", _bert(4, 384)),
    "MiniLM 3x384": ("10.1", _bert(3, 384)),
    "TinyBERT 4x312": ("9.4", _bert(4, 312, 1200)),
    "DistilBERT 6x768": ("1.6-2", students.distilbert),
    "BERT-PKD 4x768": ("3.0", _bert(4, 768)),
    "MobileBERT": ("5.5", students.mobilebert),
    "MobileBERT-tiny": ("8.6", students.mobilebert_tiny),
}


def main() -> None:
    """Write the files, time them, print the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = {
            student: _written(student, folder, options)
            for student in options.students
        }
        for precision in _TIMED:
            paths = {
                student: folder / f"{student}.{precision}.tflite"
                for student in rows
            }
            taken = latency.measure_latencies(
                list(paths.values()),
                [options.length],
                options.threads,
                options.repeats,
                _shared.CLOCKS[options.clock],
            )
            for student, path in paths.items():
                row = rows[student]
                row[precision] = taken[str(path)][options.length]
                times = profile.operator_times(
                    path, f"encode_{options.length}", options.threads
                )
                row["outside", precision] = profile.outside_products(times)
    _shared.show(_table(rows, options), 150)


def _written(student: str, folder: pathlib.Path, options: Any) -> dict:
    """Write a student's files; return what is known without running them."""
    _, build = STUDENTS[student]
    backbone = build(vocabulary_size=_SMALL_VOCABULARY)
    described = describe(backbone, [options.length])
    content, half = (
        convert(backbone, precision, [options.length], ("sequence_output",))
        for precision in ("float32", "float16")
    )
    known = quantize.layers(content)
    width = known["tokens"].parameters // _SMALL_VOCABULARY
    more = options.vocabulary_size - _SMALL_VOCABULARY
    row: dict[Any, Any] = {
        "parameters": described.parameters + more * width,
        "flops": described.flops[options.length],
    }
    for precision, (size, scales) in _PRECISIONS.items():
        if precision == "float16":
            rounded = half
        else:
            plan = dict.fromkeys(known, precision)
            rounded = quantize.quantize(content, plan)
        row["bytes", precision] = len(rounded) + more * (size * width + scales)
        if precision in _TIMED:
            path = folder / f"{student}.{precision}.tflite"
            path.write_bytes(rounded)
    print(f"{student}: written", flush=True)
    return row


def _table(rows: dict[str, dict], options: Any) -> Table:
    titles = (
        "M param.",
        "GFLOPs",
        "float32 MB",
        "float16",
        "int8",
        "int4",
        "float32 ms",
        "int8 ms",
        "outside",
        "FLOPs",
        "published",
        "float32",
        "int8",
    )
    shown = _shared.table(["student"], titles)
    base = next(iter(rows.values()))
    for student, row in rows.items():
        outside = (f"{row['outside', kind]:.0%}" for kind in _TIMED)
        shown.add_row(
            student,
            f"{row['parameters'] / 1e6:.1f}",
            f"{row['flops'] / 1e9:.2f}",
            *(f"{row['bytes', kind] / 1e6:.1f}" for kind in _PRECISIONS),
            *(f"{row[kind].median:.2f}" for kind in _TIMED),
            ", ".join(outside),
            f"{base['flops'] / row['flops']:.1f}x",
            f"{STUDENTS[student][0]}x",
            *(
                f"{base[kind].median / row[kind].median:.1f}x"
                for kind in _TIMED
            ),
        )
    shown.caption = (
        f"Length {options.length}, {options.threads} thread(s), medians of "
        f"{options.repeats} runs in turns by the {options.clock} clock; "
        f"{_shared.processor()}, {_shared.versions('LiteRT')}. "
        "outside: share of the operators' time that is not matrix products, "
        "float32 and int8. The last four columns are speed-ups over the first "
        "row"
    )
    return shown


def _options() -> Any:
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(length=128, threads=1, repeats=50, vocabulary_size=30522)
    parser.add_argument("--students", nargs="+", default=list(STUDENTS))
    parser.add_clock()
    return parser.parse_args()


if __name__ == "__main__":
    main()
