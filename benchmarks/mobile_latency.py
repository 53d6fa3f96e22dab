"""KerasHub's own LiteRT export against ours: same weights, one run.

    python benchmarks/mobile_latency.py

Both are written as float32 and with dynamic-range int8 weights, and timed in
turns. "products" is the time of the file's matrix products alone (each
operator by itself, its weights in the cache): what the machine's arithmetic
asks for, and so the limit of what a better graph can reach. "outside" is the
share of all operators' time, each by itself, that is not matrix products, and
"parts" the number of XNNPACK's partitions. `--clock=processor` leaves the time
of other programs out, for one thread. Without --task the encoder's states and
pooled output are asked for, with it the task's own outputs: a classifier.
"""

import pathlib
import tempfile

import _shared

from tfminilm.export.litert import latency, profile
from tfminilm.export.litert.convert import convert, signature_length
from tfminilm.quiet import quiet
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load

_NAMES = ("token_ids", "segment_ids", "padding_mask")
_OUTPUTS = ("sequence_output", "pooled_output")
_PRECISIONS = ("float32", "dynamic_wi8_afp32")


def main() -> None:
    """Write the files, measure them, print the table."""
    options = _options()
    model, outputs = load.load_backbone(options.model), _OUTPUTS
    if options.task:
        model = heads.build_head(get_task(options.task), model, dropout=0.0)
        outputs = None
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(
            model, outputs, options.lengths, pathlib.Path(folder)
        )
        rows = [
            row
            for length in options.lengths
            for threads in options.threads
            for row in measure(files, length, threads, options)
        ]
    _shared.show(table(rows, options), 110)


def write_files(model, outputs, lengths, folder):
    """Write all files; return {(who, precision, length): path}."""
    files = {}
    for precision in _PRECISIONS:
        path = folder / f"tfminilm_{precision}.tflite"
        path.write_bytes(convert(model, precision, lengths, outputs))
        for length in lengths:
            files["tfminilm", precision, length] = path
            files["KerasHub", precision, length] = _write_keras_hub(
                model, precision, length, folder
            )
    return files


def _write_keras_hub(model, precision, length, folder):
    """Export by `model.export` with builtin operators only, as a phone does."""
    import keras
    import tensorflow as tf

    path = folder / f"keras_hub_{precision}_{length}.tflite"
    quantised = precision != "float32"
    with quiet():
        model.export(
            str(path),
            format="litert",
            verbose=False,
            input_signature=[
                {
                    name: keras.InputSpec(
                        shape=(1, length), dtype="int32", name=name
                    )
                    for name in _NAMES
                }
            ],
            target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
            optimizations=[tf.lite.Optimize.DEFAULT] if quantised else [],
        )
    return path


def measure(files, length, threads, options):
    """Return one row per file, all timed in turns."""
    here = {key: path for key, path in files.items() if key[2] == length}
    taken = latency.measure_latencies(
        list(here.values()),
        [length],
        threads,
        options.repeats,
        _shared.CLOCKS[options.clock],
    )
    rows = []
    for precision in _PRECISIONS:
        baseline = taken[str(here["KerasHub", precision, length])][length]
        for who in ("KerasHub", "tfminilm"):
            path = here[who, precision, length]
            mine = taken[str(path)][length]
            rows.append(
                {
                    "who": who,
                    "precision": precision,
                    "length": length,
                    "threads": threads,
                    "median": mine.median,
                    "fastest": mine.fastest,
                    "gain": baseline.median / mine.median,
                    "gain of fastest": baseline.fastest / mine.fastest,
                    **_products(path, length, threads),
                    "megabytes": path.stat().st_size / 1e6,
                    "partitions": max(profile.partitions(path).values()),
                }
            )
    return rows


def _products(path, length, threads):
    """Return milliseconds of the matrix products, and of the rest."""
    signature = next(
        name
        for name in profile.partitions(path)
        if signature_length(name) in (None, length)
    )
    times = profile.operator_times(path, signature, threads)
    products = (
        row.milliseconds for row in times if row.operator in profile.PRODUCTS
    )
    return {
        "products": sum(products),
        "outside": profile.outside_products(times),
    }


def table(rows, options):
    """Return the rows as a table, with the machine and the settings below."""
    left = ("tokens", "thr.", "weights", "export")
    right = ("median ms", "fastest", "gain", "of fastest", "products")
    right += ("outside", "MB", "parts")
    shown = _shared.table(left, right)
    for row in rows:
        shown.add_row(
            str(row["length"]),
            str(row["threads"]),
            "float32" if row["precision"] == "float32" else "int8",
            row["who"],
            f"{row['median']:.2f}",
            f"{row['fastest']:.2f}",
            f"{row['gain']:.2f}x",
            f"{row['gain of fastest']:.2f}x",
            f"{row['products']:.2f}",
            f"{row['outside']:.0%}",
            f"{row['megabytes']:.1f}",
            str(row["partitions"]),
            end_section=row["who"] == "tfminilm",
        )
    asked = f", {options.task}," if options.task else ""
    shown.caption = (
        f"{pathlib.Path(options.model).parts[0]}{asked} on "
        f"{_shared.processor()}; {_shared.versions('LiteRT', 'TensorFlow')}; "
        f"{options.repeats} runs each in turns, by the {options.clock} clock. "
        f"tfminilm's file holds the lengths {options.lengths} together"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(model=_shared.TEACHER)
    parser.add_argument("--task", default="", help="such as sst2")
    parser.add_argument("--lengths", type=_shared.numbers, default=[32, 128])
    parser.add_argument("--threads", type=_shared.numbers, default=[1, 2])
    parser.add_flags(repeats=100)
    parser.add_clock()
    return parser.parse_args()


if __name__ == "__main__":
    main()
