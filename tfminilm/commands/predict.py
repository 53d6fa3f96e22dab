"""`tfminilm predict`: ask a model about texts."""

import os
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from tfminilm.commands import task_flags
from tfminilm.errors import UsageError

if TYPE_CHECKING:
    from tfminilm.inference.tables import Table

DESCRIPTION = "Predicts texts: of a file, the command line or a pipe."

# Rows that are read by the model before they are written.
_CHUNK = 2048


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    from tfminilm.inference import written

    flags.DEFINE_string(
        "model",
        None,
        "Workdir of distill or finetune (or RUN@STEP, one of its "
        "checkpoints), KerasHub preset, Hugging Face folder, or what export "
        "wrote: a bundle, its .zip, an ONNX file or folder, or a SavedModel.",
    )
    _define_texts(flags)
    flags.DEFINE_string(
        "output",
        None,
        "File to write: .csv, .jsonl or .txt; by default standard output. It "
        "has the columns of --file and those of the predictions, which begin "
        "with predicted_. An older file is replaced.",
    )
    flags.DEFINE_enum(
        "format",
        None,
        list(written.FORMATS),
        "What to write: lines for people, csv or jsonl; by default by the "
        "ending of --output, else lines.",
    )
    task_flags.define_head(flags)
    flags.DEFINE_integer(
        "max_length",
        None,
        "Tokens at which a text is cut; by default as the model was "
        "fine-tuned or exported.",
        lower_bound=1,
    )


def _define_texts(flags: flags.FlagValues) -> None:
    """Define the flags that say where the texts are."""
    from tfminilm.inference import tables

    flags.DEFINE_multi_string("text", None, "A text")
    flags.DEFINE_multi_string(
        "context",
        None,
        "For a model that reads two texts together: the second one of each "
        "--text, such as the context of a question",
    )
    flags.DEFINE_string(
        "file",
        None,
        "Texts: .txt (one a line), .csv or .tsv with a header, or .jsonl; or "
        "- for standard input, which is also read if it is a pipe and "
        "neither this nor --text is given.",
    )
    flags.DEFINE_enum(
        "input_format",
        None,
        list(tables.FORMATS),
        "Format of --file; by default by its ending, and txt of standard "
        "input.",
    )
    flags.DEFINE_list(
        "text_columns",
        None,
        "Column of the text, or the two columns; by default the only ones, or "
        "those called text, sentence, question and context, or so.",
    )
    flags.DEFINE_bool("skip_blank", False, "Leave out rows without a text.")


def run(flags: flags.FlagValues) -> None:
    """Predict texts, and print or write what the model says.

    Raises:
        UsageError: a flag is missing, or does not go with another.
        UserError: the model or the file cannot be used.
    """
    if not flags.model:
        raise UsageError(
            "predict: expected --model=, such as a workdir or a bundle"
        )
    from tfminilm.inference import tables, written

    format = written.format_of(flags.output, flags.format)
    table = _table(flags)
    _require_other_file(flags)
    # Imported after the flags are checked, as it takes seconds.
    from tfminilm.inference.load import load
    from tfminilm.train.progress import Progress

    model = load(
        flags.model,
        flags.max_length,
        getattr(flags, "as") or "",
        flags.labels or (),
    )
    table, texts = tables.texts_of(
        table, flags.text_columns, model.reads_pairs, flags.skip_blank
    )
    inputs: list[Any] = texts
    if not model.reads_pairs:
        inputs = [text for (text,) in texts]
    num_cut = 0
    with (
        Progress() as progress,
        progress.pieces("texts") as show,
        written.open_output(flags.output) as file,
    ):
        writer = written.Writer(file, format, table.columns)
        for start in range(0, len(texts), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            found = model.predict(inputs[chunk], progress=False)
            rows = table.rows[chunk], texts[chunk], found
            for row, read, prediction in zip(*rows, strict=True):
                writer.write(row, read, prediction)
                num_cut += prediction.is_truncated
            show("predicting", start + len(found), len(texts))
    if num_cut:
        _say(
            f"{num_cut:,} of {len(texts):,} texts were longer than "
            f"{model.max_length} tokens: their ends were not read"
        )
    if flags.output:
        _say(f"{len(texts):,} predictions: {flags.output}")


def _table(flags: flags.FlagValues) -> "Table":
    """Return the rows that the flags name."""
    from tfminilm.inference import tables

    if flags.text and flags.file:
        raise UsageError("predict: expected --text= or --file=, not both")
    if flags.context and not flags.text:
        raise UsageError("predict: --context= expects a --text= for each")
    if flags.text:
        return tables.of_texts(flags.text, flags.context or ())
    if not flags.file and sys.stdin.isatty():
        raise UsageError(
            "predict: expected --text=, --file=, or texts in a pipe"
        )
    return tables.read(flags.file or tables.STANDARD_INPUT, flags.input_format)


def _require_other_file(flags: flags.FlagValues) -> None:
    names = [name for name in (flags.file, flags.output) if name]
    are_there = len(names) == 2 and all(map(os.path.exists, names))
    if are_there and os.path.samefile(*names):
        raise UsageError(
            f"predict: --output={flags.output} is the --file itself: "
            "expected another one"
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr)
