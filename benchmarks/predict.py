"""What `tfminilm.load(bundle).predict(text)` costs beside the interpreter.

    python benchmarks/predict.py

"bare" is a call of the interpreter's runner on arrays that are ready;
"predict" takes the text, cuts it, pads it, runs it and returns the class. They
take turns: each is called several times in a row, as in a loop over texts, and
the median over rounds is shown, and in brackets the fastest round. "cutting"
is the tokenizer's part of it, from the text to its token ids, called alone
between two runs of the model.
"overhead" is all that predict costs more than bare. Without --bundle an
untrained classifier on the teacher is exported in int8; its speed is that of
a trained one.
"""

import pathlib
import statistics
import tempfile

import _shared
import numpy as np

from tfminilm.errors import UserError

_WORDS = (
    "the parcel that i ordered last week never came and nobody answers my "
    "letters about it so please send the money back now "
)


def main() -> None:
    """Load the bundle, measure each length, print the table."""
    parser = _shared.Parser(__doc__)
    parser.add_argument("--bundle", help="a classifier's; made if not given")
    parser.add_argument(
        "--tokens", type=_shared.numbers, default=[25, 32, 64, 128]
    )
    parser.add_flags(model=_shared.TEACHER, rounds=40, calls=25)
    parser.add_clock()
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle or _export(options.model, folder)
        rows = measure(bundle, options)
    _shared.show(table(rows, options), 100)


def _export(model: str, folder: str) -> pathlib.Path:
    """Export an untrained classifier on the teacher, in int8."""
    from tfminilm.export.bundle.writer import export_bundle
    from tfminilm.export.target import Target
    from tfminilm.tasks import heads
    from tfminilm.tasks.settings import Settings
    from tfminilm.tasks.task import get_task
    from tfminilm.teachers import load

    task = get_task("sst2")
    head = heads.build_head(task, load.load_backbone(model), dropout=0.0)
    target = Target(
        name="predict",
        precision="dynamic_wi8_afp32",
        lengths=(32, 64, 128),
        max_difference=10.0,
        min_cosine=0.5,
        min_agreement=0.0,
    )
    path = pathlib.Path(folder) / "bundle"
    tokenizer = load.load_tokenizer(model)
    settings = Settings.of(task, 128)
    export_bundle(head, tokenizer, target, path, settings=settings)
    return path


def measure(bundle: pathlib.Path, options) -> list[dict]:
    """Return for each number of tokens what the calls take, in seconds."""
    import tfminilm

    model = tfminilm.load(bundle)
    clock, calls = _shared.CLOCKS[options.clock], options.calls
    rows = []
    for count in options.tokens:
        text = text_of(model.tokenizer, count)
        length = min(x for x in model.lengths if x >= count)
        runner = model.model.runner(length)
        arrays = {
            name: np.ones(detail["shape"], detail["dtype"])
            for name, detail in runner.get_input_details().items()
        }

        def each(run, before=lambda: None):
            total = 0.0
            for _ in range(calls):
                before()
                total += _shared.seconds(run, clock)
            return total / calls

        def bare(runner=runner, arrays=arrays):
            return runner(**arrays)

        def cut(text=text):
            return model.tokenizer.encode([text])

        found = _shared.in_turns(
            {
                "bare": lambda bare=bare: each(bare),
                "predict": lambda text=text: each(lambda: model.predict(text)),
                "cutting": lambda bare=bare, cut=cut: each(cut, bare),
            },
            options.rounds,
        )
        rows.append({"tokens": count, "length": length, **found})
    return rows


def text_of(tokenizer, count: int) -> str:
    """Return words that are cut into `count` tokens, the two ends included."""
    words = (_WORDS * (1 + count // 20)).split()
    for end in range(1, len(words)):
        text = " ".join(words[:end])
        if len(tokenizer.encode([text])[0]) + 2 == count:
            return text
    raise UserError(f"no text of {count} tokens")


def table(rows: list[dict], options):
    """Return the figures, in milliseconds."""
    shown = _shared.table(
        ["tokens", "length"],
        ["bare, ms", "predict, ms", "ratio", "cutting, ms", "overhead, ms"],
        caption=(
            f"{_shared.processor()}, {options.clock} clock, "
            f"{_shared.versions('LiteRT')}, one thread"
        ),
    )
    for row in rows:
        over = statistics.median(row["predict"]) - statistics.median(
            row["bare"]
        )
        shown.add_row(
            str(row["tokens"]),
            str(row["length"]),
            _both(row["bare"]),
            _both(row["predict"]),
            _ratio(row["predict"], row["bare"]),
            _both(row["cutting"]),
            f"{1e3 * over:.3f}",
        )
    return shown


def _both(values: list[float]) -> str:
    """Return the median and the fastest round, in milliseconds."""
    median, fastest = statistics.median(values), min(values)
    return f"{1e3 * median:.3f} ({1e3 * fastest:.3f})"


def _ratio(values: list[float], others: list[float]) -> str:
    """Return the ratio of medians, and that of the fastest rounds."""
    median = statistics.median(values) / statistics.median(others)
    return f"{median:.2f} ({min(values) / min(others):.2f})"


if __name__ == "__main__":
    main()
