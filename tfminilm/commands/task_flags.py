"""Flags for the task and its data."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from tfminilm.errors import UsageError


def define(flags: flags.FlagValues) -> None:
    """Define the flags of a task's data."""
    flags.DEFINE_string(
        "task",
        None,
        "A benchmark, such as sst2, stsb, mnli, squad_v2 or xnli; or "
        "csv:FILE for labelled text of your own (.csv or .tsv), conll:FILE "
        "for words with tags, spans:FILE for texts with entities (.jsonl).",
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of the benchmark's original files; TensorFlow Datasets "
        "without it.",
    )
    flags.DEFINE_string(
        "language",
        None,
        "Language of XNLI and MLQA, such as de (MLQA: also de-en).",
    )
    flags.DEFINE_bool(
        "skip_bad_answers",
        False,
        "Leave out SQuAD's answers that do not stand at their offset.",
    )
    flags.DEFINE_integer(
        "max_examples",
        0,
        "Draw this many of every split, with the same shares of labels and "
        "always the same ones (0: all).",
        lower_bound=0,
    )
    _define_own_file(flags)


def define_labels(flags: flags.FlagValues) -> None:
    """Define the flag that names a model's classes."""
    flags.DEFINE_list(
        "labels",
        None,
        "The names of the model's classes in the order of its outputs, if its "
        "folder does not say them, as KerasHub's presets.",
    )


def define_head(flags: flags.FlagValues) -> None:
    """Define the flags that say what of a model with a head is used."""
    flags.DEFINE_enum(
        "as",
        None,
        ["encoder", "task"],
        "What to use of a model: the encoder alone, or its head for a task "
        "(then one without a head is refused); by default the head, if it has "
        "one.",
    )
    define_labels(flags)


def _define_own_file(flags: flags.FlagValues) -> None:
    """Define the flags of csv:FILE."""
    from tfminilm.tasks.kinds import COLUMN_KINDS

    flags.DEFINE_list(
        "text_columns",
        None,
        "For csv:FILE: the column of the text, or the two columns. For "
        "conll:FILE: the number of the words' column (1).",
    )
    flags.DEFINE_string(
        "label_column",
        None,
        "For csv:FILE: the column to predict. For conll:FILE: the number of "
        "the tags' column (the last).",
    )
    flags.DEFINE_enum(
        "kind",
        COLUMN_KINDS[0],
        list(COLUMN_KINDS),
        "For csv:FILE: the kind of the labels.",
    )
    flags.DEFINE_string(
        "label_separator",
        ",",
        "For csv:FILE of --kind=multi_label: what stands between the names of "
        "a text's labels in --label_column.",
    )
    flags.DEFINE_list(
        "label_columns",
        None,
        "For csv:FILE: a column for each class, of that name, with its "
        "probability; of --kind=multi_label also 1 and 0. Beside "
        "--label_column they are what is learned, and that is scored.",
    )
    flags.DEFINE_enum(
        "soft_labels",
        "probabilities",
        ["probabilities", "logits"],
        "What the numbers in --label_columns are.",
    )
    flags.DEFINE_string(
        "eval_file",
        None,
        "For a FILE of your own: score on this, not on a tenth of FILE.",
    )


def parse(
    flags: flags.FlagValues, command: str, labels: Sequence[str] | None = None
) -> Any:
    """Return the task that the flags name.

    Args:
        flags: the command's flags.
        command: the command's name, for messages.
        labels: the classes of a file of the user's, if they are known.

    Raises:
        UsageError: a flag is missing.
        UserError: there is no such task or file.
    """
    from tfminilm.tasks.readers import tagged
    from tfminilm.tasks.readers.csv_file import csv_task
    from tfminilm.tasks.task import LabelColumns, get_task

    if not flags.task:
        raise UsageError(f"{command}: expected --task=, such as sst2")
    prefix, colon, path = flags.task.partition(":")
    if prefix in tagged.READERS and colon:
        words, *more = flags.text_columns or [""]
        if more:
            raise UsageError(
                f"{command}: --text_columns={','.join(flags.text_columns)}: "
                f"expected the number of one column of {path}"
            )
        columns = (words, flags.label_column or "")
        return tagged.tagged_task(flags.task, columns, labels, flags.eval_file)
    if prefix != "csv" or not colon:
        return get_task(flags.task)
    has_labels = flags.label_column or flags.label_columns
    if not flags.text_columns or not has_labels:
        raise UsageError(
            f"{command}: --task={flags.task} expects --text_columns=A[,B] "
            "and --label_column=C, or --label_columns=C,D"
        )
    return csv_task(
        path,
        flags.text_columns,
        flags.label_column,
        flags.kind,
        labels,
        flags.eval_file,
        LabelColumns(
            flags.label_separator,
            tuple(flags.label_columns or ()),
            flags.soft_labels == "logits",
        ),
    )
