"""A file of several lengths against one length for all, on real sentences.

    python benchmarks/mobile_lengths.py --data_dir=GLUE

Both files hold the same weights. All sentences of SST-2's development set run
in both in turns: in the shortest signature that each fits, and padded to the
one length. What is timed is the whole call, as an app makes it, without the
tokenizer. `--clock=processor` leaves the time of other programs out, for one
thread.
"""

import pathlib
import tempfile

import _shared
import numpy as np

from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.tasks import heads
from tfminilm.tasks.encode import encode
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load

_PRECISIONS = ("float32", "dynamic_wi8_afp32")


def main() -> None:
    """Write the files, run the sentences, print the table."""
    options = _options()
    task = get_task("sst2")
    backbone = load.load_backbone(options.model)
    model = heads.build_head(task, backbone)
    examples = read(task, "validation", options.data_dir)
    longest = max(options.lengths)
    encoded = encode(
        task, examples, load.load_tokenizer(options.model), longest
    )
    rows = [
        measure(model, precision, encoded, options)
        for precision in options.precisions
    ]
    _shared.show(table(rows, encoded, options), 100)


def measure(model, precision, encoded, options):
    """Return milliseconds a sentence and bytes, of both files."""
    with tempfile.TemporaryDirectory() as folder:
        encoders, sizes = [], []
        for lengths in (options.lengths, options.lengths[-1:]):
            path = pathlib.Path(folder, f"{len(lengths)}.tflite")
            path.write_bytes(convert(model, precision, lengths))
            encoders.append(LiteRTEncoder(path, options.threads))
            sizes.append(path.stat().st_size)
        clock = _shared.CLOCKS[options.clock]
        rounds = [
            [_sentences(encoder, encoded, clock) for encoder in encoders]
            for _ in range(options.repeats + 1)
        ]
    # Of each sentence the median of its rounds; the first only warms up.
    taken = np.median(rounds[1:], axis=0).mean(axis=-1)
    return {
        "precision": precision,
        "several": 1e3 * taken[0],
        "one": 1e3 * taken[1],
        "bytes": sizes,
    }


def _sentences(encoder, encoded, clock):
    """Return seconds of each sentence."""
    taken = []
    for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False):
        began = clock()
        encoder(encoded.token_ids[start:end])
        taken.append(clock() - began)
    return taken


def table(rows, encoded, options):
    """Return the rows as a table, with the machine and the settings below."""
    titles = ("several, ms", "one, ms", "gain", "MB", "larger by")
    shown = _shared.table(["weights"], titles)
    for row in rows:
        several, one = row["bytes"]
        shown.add_row(
            row["precision"],
            f"{row['several']:.2f}",
            f"{row['one']:.2f}",
            f"{row['one'] / row['several']:.2f}x",
            f"{several / 1e6:.1f}",
            f"{several / one - 1:.1%}",
        )
    shown.caption = (
        f"{pathlib.Path(options.model).parts[0]} with a classifier on "
        f"{_shared.processor()}, {options.threads} thread(s), "
        f"{options.clock} clock; {_shared.versions('LiteRT')}; lengths "
        f"{options.lengths} against {options.lengths[-1]}; {len(encoded):,} "
        f"sentences of {encoded.lengths.mean():.1f} tokens; mean of each one's "
        f"median of {options.repeats}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__)
    parser.add_flags(model=_shared.TEACHER)
    parser.add_argument("--data_dir", required=True, help="folder of GLUE")
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=[16, 24, 32, 48, 64, 128]
    )
    parser.add_argument("--precisions", nargs="+", default=_PRECISIONS)
    parser.add_flags(threads=1, repeats=3)
    parser.add_clock()
    options = parser.parse_args()
    options.lengths.sort()
    return options


if __name__ == "__main__":
    main()
