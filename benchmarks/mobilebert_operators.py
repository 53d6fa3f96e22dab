"""Layer normalisation or NoNorm, GELU or ReLU: what a MobileBERT's time is.

    python benchmarks/mobilebert_operators.py

The paper's operator study (arXiv 2004.02984, table 4): four MobileBERTs of
one shape, with random weights, as float32 and with int8 weights, timed in
turns. "ratio" is to layer normalisation and GELU in the same run, "paper" the
published one, on a Pixel 4's processor. `--clock=processor` leaves the time of
other programs out, and adds up that of several threads. The second table has
the operators of the float32 files, each timed by itself on one thread: small
ones carry the cost of a call, and their tensors are in the cache.
"""

import itertools
import pathlib
import tempfile

import _shared
import keras

from tfminilm import students
from tfminilm.export.litert import latency, profile
from tfminilm.export.litert.convert import convert

# Published milliseconds.
_PAPER = {
    ("layer_norm", "gelu"): 192,
    ("layer_norm", "relu"): 167,
    ("no_norm", "gelu"): 92,
    ("no_norm", "relu"): 62,
}
_SLOWEST = ("layer_norm", "gelu")
_PRECISIONS = {"float32": "float32", "int8": "dynamic_wi8_afp32"}
_GROUPS = {
    "products": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "GELU": ("GELU",),
    "MEAN, RSQRT": ("MEAN", "RSQRT"),
    "ADD, MUL, SUB": ("ADD", "MUL", "SUB"),
    "SOFTMAX": ("SOFTMAX",),
}


def main() -> None:
    """Write the files, measure them, print both tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(options, pathlib.Path(folder))
        rows = [
            row
            for threads in options.threads
            for row in measure(files, options, threads)
        ]
        _shared.show(latencies(rows, options), 100)
        _shared.show(operators(files, options), 100)


def write_files(options, folder):
    """Write all files; return {(norm, activation, weights): path}."""
    files = {}
    for normalization, activation in _PAPER:
        model = build(normalization, activation, options)
        for name, precision in _PRECISIONS.items():
            path = folder / f"{normalization}_{activation}_{name}.tflite"
            path.write_bytes(
                convert(model, precision, [options.length], ["sequence_output"])
            )
            files[normalization, activation, name] = path
    return files


def build(normalization, activation, options):
    """Build a random MobileBERT; factors of 1 would leave no norms."""
    keras.utils.set_random_seed(0)
    model = students.mobilebert(
        num_layers=options.layers,
        normalization=normalization,
        activation=activation,
    )
    for weight in model.weights:
        if weight.name in ("gamma", "beta"):
            noise = keras.random.normal(weight.shape, stddev=0.1)
            weight.assign(weight + noise)
    return model


def measure(files, options, threads):
    """Return one row per file, all timed in turns."""
    taken = latency.measure_latencies(
        list(files.values()),
        [options.length],
        threads,
        options.repeats,
        _shared.CLOCKS[options.clock],
    )
    found = {
        key: taken[str(path)][options.length] for key, path in files.items()
    }
    rows = []
    for weights, setting in itertools.product(_PRECISIONS, _PAPER):
        own, slowest = found[*setting, weights], found[*_SLOWEST, weights]
        rows.append(
            {
                "weights": weights,
                "threads": threads,
                "setting": setting,
                "median": own.median,
                "fastest": own.fastest,
                "ratio": own.median / slowest.median,
                "ratio_of_fastest": own.fastest / slowest.fastest,
            }
        )
    return rows


def latencies(rows, options):
    """Return the first table, with the machine and the settings below."""
    left = ("weights", "thr.", "norm", "activation")
    right = ("median ms", "ratio", "fastest", "ratio", "paper")
    shown = _shared.table(left, right)
    for row in rows:
        setting = row["setting"]
        shown.add_row(
            row["weights"],
            str(row["threads"]),
            *setting,
            f"{row['median']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['fastest']:.1f}",
            f"{row['ratio_of_fastest']:.2f}",
            f"{_PAPER[setting] / _PAPER[_SLOWEST]:.2f}",
            end_section=setting == list(_PAPER)[-1],
        )
    shown.caption = (
        f"{options.layers} layers, {options.length} tokens, on "
        f"{_shared.processor()}; {_shared.versions('LiteRT')}; "
        f"{options.repeats} runs each in turns, by the {options.clock} clock"
    )
    return shown


def operators(files, options):
    """Return the second table: milliseconds of each kind of operator."""
    shown = _shared.table(("norm", "activation"), (*_GROUPS, "others"))
    for setting in _PAPER:
        times = {
            row.operator: row.milliseconds
            for row in profile.operator_times(
                files[*setting, "float32"], f"encode_{options.length}"
            )
        }
        sums = [
            sum(times.pop(name, 0.0) for name in names)
            for names in _GROUPS.values()
        ]
        sums.append(sum(times.values()))
        shown.add_row(*setting, *(f"{value:.1f}" for value in sums))
    shown.caption = "float32, one thread, each operator by itself, in ms"
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(layers=24, length=128)
    parser.add_argument("--threads", type=_shared.numbers, default=[1, 2])
    parser.add_clock()
    parser.add_flags(repeats=50)
    return parser.parse_args()


if __name__ == "__main__":
    main()
