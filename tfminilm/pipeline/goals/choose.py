"""Tell what a column, or several, ask to predict; say why."""

import collections
import math
from collections.abc import Sequence

from tfminilm.errors import UserError
from tfminilm.pipeline.goals.classes import (
    NamedAndSoftClasses,
    OneClass,
    SoftClasses,
)
from tfminilm.pipeline.goals.goal import Goal
from tfminilm.pipeline.goals.number import Number, number_of
from tfminilm.pipeline.goals.several import (
    LabelColumns,
    SeveralLabels,
    split,
)
from tfminilm.pipeline.table import Row
from tfminilm.tasks.kinds import COLUMN_KINDS

SEPARATORS = (";", "|")
_AS_TOLD = "as told by --kind"


def choose(
    rows: Sequence[Row],
    columns: Sequence[str],
    kind: str = "",
    separator: str = "",
    are_logits: bool = False,
) -> Goal:
    """Return what the rows' labels are.

    Args:
        rows: all that were read.
        columns: of the labels; several are the names of classes.
        kind: one of `tasks.kinds.COLUMN_KINDS`; empty to look at the labels.
        separator: between several labels in a field; empty to look for it.
        are_logits: whether several columns hold logits.

    Raises:
        UserError: the kind does not go with the columns.
    """
    if kind not in ("", *COLUMN_KINDS):
        raise UserError(
            f"--kind is {kind!r}, expected {' or '.join(COLUMN_KINDS)} of a "
            "table"
        )
    makers = {
        "classification": OneClass,
        "multi_label": SeveralLabels,
        "regression": Number,
    }
    if len(columns) > 1:
        return _of_columns(rows, tuple(columns), kind, are_logits)
    if are_logits:
        raise UserError(
            "--soft_labels=logits is for a column of numbers for each class: "
            f"expected --label=A,B, and it is {columns[0]}"
        )
    written = [row.label for row in rows if row.label]
    found = separator or _separator(written, is_told=kind == "multi_label")
    if separator and not kind:
        return SeveralLabels("as told by --label_separator", separator)
    if kind:
        _require_single(rows, kind, separator)
        goal = makers[kind](_AS_TOLD)
        if isinstance(goal, SeveralLabels):
            return SeveralLabels(_AS_TOLD, found)
        return goal
    return _of_labels(written, found)


def choose_beside(
    labels: Sequence[str],
    columns: Sequence[str],
    kind: str = "",
    are_logits: bool = False,
) -> Goal:
    """Return a class that a column names, with probabilities of each beside.

    Args:
        labels: the column of the name; more are refused.
        columns: of the probabilities, which are the names of the classes.
        kind: as `choose` takes it.
        are_logits: whether the columns hold logits.

    Raises:
        UserError: they are not of one of several classes.
    """
    if kind not in ("", NamedAndSoftClasses.kind) or len(labels) > 1:
        raise UserError(
            f"--probabilities={','.join(columns)} stand beside one label of "
            f"several classes, and --label is {','.join(labels)}, --kind "
            f"{kind or 'not told'}: leave one of them out"
        )
    if len(columns) < 2:
        raise UserError(
            f"--probabilities is {columns[0]}: expected a column for each class"
        )
    _require_no_comma(columns)
    reason = "a column of labels, and one of probabilities for each class"
    return NamedAndSoftClasses(reason, tuple(columns), are_logits)


def _require_single(rows: Sequence[Row], kind: str, separator: str) -> None:
    """Refuse lists, and a separator of labels, where a row has one label."""
    if kind == "multi_label":
        return
    if separator:
        raise UserError(
            f"--label_separator is {separator!r} and --kind={kind} takes one "
            "label a row: leave one of them out"
        )
    row = next((row for row in rows if isinstance(row.label, tuple)), None)
    if row is not None:
        raise UserError(
            f"{row.where}: the label is a list, and --kind={kind} takes one a "
            "row: expected --kind=multi_label, or one label"
        )


def _of_labels(written: Sequence, separator: str) -> Goal:
    """Return what labels look like."""
    if any(isinstance(label, tuple) for label in written):
        return SeveralLabels("the labels are lists")
    if separator:
        return SeveralLabels(
            f"labels have {separator!r} between names, some of which are also "
            "others' (--kind=classification takes each as it is)",
            separator,
        )
    numbers = [number_of(label) for label in written]
    if written and not any(map(math.isnan, numbers)):
        if not all(map(float.is_integer, numbers)):
            return Number(
                "the labels are numbers with fractions (--kind=classification "
                "makes classes of them)"
            )
        return OneClass(
            "the labels are whole numbers, taken as names of classes "
            "(--kind=regression takes them as amounts)"
        )
    return OneClass("the labels are names")


def _separator(written: Sequence, is_told: bool) -> str:
    """Return what stands between several labels; empty if nothing does.

    Unless several labels are told, a name beside a separator has to be in
    another label, too: "a;b" alone may be the name of a class.
    """
    fields = {label for label in written if isinstance(label, str)}
    for separator in (*SEPARATORS, *([","] if is_told else [])):
        joined = [field for field in fields if separator in field]
        counts = collections.Counter(
            name for field in fields for name in {*split(field, separator)}
        )
        names = {name for field in joined for name in split(field, separator)}
        if joined and (is_told or any(counts[name] > 1 for name in names)):
            return separator
    return ""


def _of_columns(
    rows: Sequence[Row],
    columns: tuple[str, ...],
    kind: str,
    are_logits: bool,
) -> Goal:
    """Return what a number for each class is."""
    _require_no_comma(columns)
    if kind == "regression":
        raise UserError(
            f"--kind=regression predicts one number, and --label names "
            f"{len(columns)} columns ({', '.join(columns)}): name one"
        )
    reason = _AS_TOLD
    if not kind:
        kind, reason = _kind_of_columns(rows, are_logits)
    goal = {"classification": SoftClasses, "multi_label": LabelColumns}[kind]
    return goal(reason, columns, are_logits)


def _kind_of_columns(rows: Sequence[Row], are_logits: bool) -> tuple[str, str]:
    """Return what numbers of classes say, and why."""
    values = [
        [number_of(value) for value in row.fields]
        for row in rows
        if any(row.fields)
    ]
    only_yes_no = all(value in (0, 1) for row in values for value in row)
    several = any(sum(row) != 1 for row in values)
    if only_yes_no and several and not are_logits:
        return "multi_label", "the label columns are 1 and 0, several in a row"
    return (
        "classification",
        "the label columns are a number for each class, of which one is true "
        "(--kind=multi_label if several may be)",
    )


def _require_no_comma(columns: Sequence[str]) -> None:
    comma = next((name for name in columns if "," in name), None)
    if comma is not None:
        raise UserError(
            f"column {comma!r} is a class with a comma in its name: rename it"
        )
