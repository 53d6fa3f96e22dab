"""One self-contained HTML page about a run, without other files or hosts."""

import math
import os
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import Any

from tfminilm import files
from tfminilm.report import (
    measures,
    page_code,
    plots,
    run_files,
    site_link,
    svg,
)
from tfminilm.report.attention_page import attention
from tfminilm.report.evidence_page import titled_sections
from tfminilm.report.evidence_text import verdict
from tfminilm.report.page_parts import escaped as _text
from tfminilm.report.run_files import Run, is_number
from tfminilm.source_names import name_of


def write_page(workdir: str | os.PathLike) -> pathlib.Path:
    """Write `report.html` into a workdir, of all that the run has so far.

    Returns:
        The page's path.

    Raises:
        UserError: it is no workdir, or one of its files is damaged.
    """
    path = pathlib.Path(workdir) / "report.html"
    link = site_link.link(path.parent)
    files.write_text(path, render(run_files.read_stages(workdir), link))
    return path


def render(stages: Sequence[Run], link: str = "") -> str:
    """Return the page as text: results of the last stage, and all curves."""
    evaluation = stages[-1].evaluation
    sections = [
        _header(stages),
        link,
        _tiles(stages),
        _table(evaluation),
        _tradeoff(evaluation),
        *map(_curves, stages),
        attention(evaluation),
        *(part for run in stages for part in titled_sections(run.evidence)),
        "" if stages[-1].is_fine_tuning else page_code.read("how.html"),
        *map(_facts, stages),
        _machine(evaluation),
    ]
    example = (evaluation or {}).get("attention_example")
    style, script = page_code.read("page.css"), page_code.read("page.js")
    return string.Template(page_code.read("page.html")).substitute(
        title=_text(f"{_name(stages[-1])}: {_doing(stages[-1])} report"),
        style=style,
        style_hash=page_code.digest(style),
        script_hash=page_code.digest(script),
        body="\n".join(section for section in sections if section),
        script=page_code.script(example, script) if example else "",
    )


def _header(stages: Sequence[Run]) -> str:
    last = stages[-1]
    names = (measures.lookup(run.recipe, "method", "name") for run in stages)
    methods = ", then ".join(map(str, filter(None, names))) or _doing(last)
    return (
        "<header>\n"
        f'<p class="over">{_text(methods)} report</p>\n'
        f"<h1>{_text(_name(last))}</h1>\n"
        f'<p class="verdict">{_text(_verdict(last))}</p>\n'
        f'<p class="over">{_origin(last)}</p>\n'
        f"{''.join(map(_not_finite, stages))}</header>"
    )


def _doing(run: Run) -> str:
    return "fine-tuning" if run.is_fine_tuning else "distillation"


def _verdict(run: Run) -> str:
    for evidence in run.evidence.values():
        if run.is_fine_tuning:
            return verdict(evidence)
    return measures.verdict(run)


def _origin(run: Run) -> str:
    """Say as HTML what a run's model was made of."""
    if run.is_fine_tuning:
        model, task = run.recipe["model"], name_of(run.recipe["task"])
        return (
            f"<code>{_text(name_of(model))}</code>, trained on {_text(task)}."
        )
    student = run.recipe.get("student", {})
    shape = (
        f"{student.get('num_layers', '?')} layers of width "
        f"{student.get('hidden_dim', '?')}"
    )
    teacher = run.recipe.get("teacher", "a teacher")
    return f"Teacher <code>{_text(teacher)}</code>, student of {_text(shape)}."


def _not_finite(run: Run) -> str:
    keys = ("loss", *measures.terms(run).values())
    for row in run.train:
        for key in keys:
            if key in row and not is_number(row[key]):
                return (
                    f'<p class="warning">At step {_text(row["step"])} of '
                    f"training <code>{_text(key)}</code> was not a finite "
                    "number.</p>\n"
                )
    return ""


def _tiles(stages: Sequence[Run]) -> str:
    tiles: list[tuple[str, str, str]] = []
    evaluation = stages[-1].evaluation
    teacher = measures.teacher_row(evaluation) if evaluation else None
    student = measures.best_student(evaluation) if evaluation else None
    if teacher and student:
        tiles = _gain_tiles(teacher, student)
    last = stages[-1]
    for name, key in measures.terms(last).items():
        share = measures.fall(last, key)
        values = [r[key] for r in last.held_out if is_number(r.get(key))]
        if share is not None:
            tiles.append(_remaining_tile(name, share, values[0]))
    if evaluation and student and len(stages) > 1:
        tiles += _stage_tiles(evaluation, student)
    if not tiles:
        return ""
    items = "\n".join(
        f'<li class="card"><span>{_text(name)}</span><b>{_text(value)}</b>'
        f"<span>{_text(note)}</span></li>"
        for value, name, note in tiles
    )
    return f'<ul class="tiles" aria-label="Key figures">\n{items}\n</ul>'


def _gain_tiles(
    teacher: Mapping[str, Any], student: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    lookup = measures.lookup
    tiles = []
    if is_number(student.get("rank_correlation")):
        value = measures.ratio(student["rank_correlation"])
        tiles.append((value, "Rank correlation", "with the teacher"))
    length = max(
        student.get("latency_ms") or {"": 0}, key=lambda n: int(n or 0)
    )
    for name, path, show in (
        ("File", ("file_bytes",), measures.megabytes),
        (
            f"Latency at {length}",
            ("latency_ms", length, "median"),
            measures.milliseconds,
        ),
        ("Parameters", ("parameters",), measures.count),
    ):
        before, after = (
            lookup(dict(teacher), *path),
            lookup(dict(student), *path),
        )
        if is_number(after):
            tiles.append((show(after), name, f"teacher {show(before)}"))
    return tiles


def _remaining_tile(
    name: str, share: float, start: float
) -> tuple[str, str, str]:
    change = f"of {measures.ratio(start)} before training"
    return f"{share:.0%}", f"{name} left", change


def _stage_tiles(
    evaluation: dict[str, Any], student: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return how much of the first stage's divergences the last one left."""
    tiles = []
    for name, key in (
        ("Attention KL", "attention_kl"),
        ("Value KL", "value_kl"),
    ):
        start, end = (
            measures.lookup(evaluation, "start", key),
            student.get(key),
        )
        if is_number(start) and is_number(end) and start > 0:
            tiles.append(_remaining_tile(name, end / start, start))
    return tiles


def _table(evaluation: dict[str, Any] | None) -> str:
    if not evaluation:
        return ""
    heads = "".join(
        f'<th scope="col"><span class="{_kind(row)}">●</span> '
        f"{_text(row['model'])}<br>{_text(row['precision'])}</th>"
        for row in evaluation["rows"]
    )
    bodies: dict[str, list[str]] = {}
    for measure in measures.measures(evaluation):
        is_part = measure.name[0].islower() or measure.name[0].isdigit()
        cells = "".join(
            f"<td>{_text(cell.text)}"
            + (f"<small>{_text(cell.gain)}</small>" if cell.gain else "")
            + "</td>"
            for cell in measure.cells
        )
        row = '<tr class="part">' if is_part else "<tr>"
        bodies.setdefault(measure.group, []).append(
            f'{row}<th scope="row">{_text(measure.name)}</th>{cells}</tr>'
        )
    body = "\n".join(
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>" for rows in bodies.values()
    )
    return (
        "<h2>What was gained, what was kept</h2>\n"
        '<p class="note">Above the line what a model costs, below it how near '
        "it is to the teacher on held-out text.</p>\n"
        '<div class="card scroll" tabindex="0" role="region" '
        'aria-label="Table of the models">\n'
        f"<table>\n<thead><tr><td></td>{heads}</tr></thead>\n{body}\n</table>"
        "\n</div>"
    )


def _tradeoff(evaluation: dict[str, Any] | None) -> str:
    if not evaluation:
        return ""
    lengths = {n for row in evaluation["rows"] for n in row["latency_ms"] or ()}
    length = max(lengths, key=int, default="")
    bubbles = []
    for row in evaluation["rows"]:
        latency = measures.lookup(row, "latency_ms", length, "median")
        quality, size = row.get("rank_correlation"), row.get("file_bytes")
        numbers = (latency, quality, size)
        if all(map(is_number, numbers)) and min(latency, size) > 0:
            name = f"{row['model']} {row['precision']}".capitalize()
            second = (
                f"{measures.megabytes(size)}, {measures.milliseconds(latency)}"
            )
            bubbles.append(
                plots.Bubble((name, second), _kind(row), latency, quality, size)
            )
    if not bubbles:
        return ""
    name = "Size against latency against quality"
    axes = (
        f"latency at length {length}, ms",
        "rank correlation with the teacher",
    )
    # Two pictures, as text would be unreadable if scaled down to a phone.
    charts = "".join(
        f'<div class="{kind}">'
        f"{plots.bubble_chart(name, bubbles, *axes, width=width)}</div>"
        for kind, width in (("wide", 880), ("narrow", 360))
    )
    return (
        f"<h2>{name}</h2>\n"
        '<p class="note">The area of a disc is the size of the file. Further '
        "left is faster, higher is nearer to the teacher.</p>\n"
        f'<figure class="card">{charts}</figure>'
    )


def _curves(run: Run) -> str:
    charts = []
    for title, key in measures.terms(run).items():
        lines = [
            svg.Series("training", "train", _points(run.train, key)),
            svg.Series(
                "held out", "held-out", _points(run.held_out, key), dots=True
            ),
        ]
        chart = plots.line_chart(f"{title} during training", lines)
        if chart:
            charts.append(
                f'<figure class="card"><h3>{_text(title)}</h3>{chart}</figure>'
            )
    if not charts:
        return ""
    aim = "better" if run.is_fine_tuning else "nearer to the teacher"
    return (
        f"<h2>{_text(f'Training{_of_stage(run)}')}</h2>\n"
        f'<p class="note">{_text(_pace(run))}Logarithmic axes; lower is {aim}.'
        "</p>\n"
        '<div class="pair">\n' + "\n".join(charts) + "\n</div>"
    )


def _pace(run: Run) -> str:
    speeds = [
        row["tokens_per_second"]
        for row in run.train
        if is_number(row.get("tokens_per_second"))
    ]
    seconds = [r["seconds"] for r in run.train if is_number(r.get("seconds"))]
    if not speeds or not seconds:
        return ""
    minutes = max(seconds) / 60
    return (
        f"{run.last_step:,} steps in {minutes:.1f} minutes, "
        f"{sorted(speeds)[len(speeds) // 2]:,.0f} tokens a second. "
    )


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[svg.Point]:
    return [
        (row["step"], row[key] if is_number(row[key]) else math.nan)
        for row in rows
        if key in row
    ]


def _facts(run: Run) -> str:
    plain = {k: v for k, v in run.recipe.items() if not isinstance(v, dict)}
    nested = {k: v for k, v in run.recipe.items() if isinstance(v, dict)}
    cards = [
        _card(title.capitalize(), content)
        for title, content in ({"recipe": plain} | nested).items()
    ]
    return _cards(f"Settings{_of_stage(run)}", cards)


def _machine(evaluation: dict[str, Any] | None) -> str:
    machine = (evaluation or {}).get("machine")
    return _cards("Machine", [_card("Machine", machine)]) if machine else ""


def _cards(title: str, cards: Sequence[str]) -> str:
    body = "\n".join(cards)
    return f'<h2>{_text(title)}</h2>\n<div class="facts">\n{body}\n</div>'


def _card(title: str, content: Mapping[str, Any]) -> str:
    entries = "".join(
        f"<dt>{_text(key.replace('_', ' '))}</dt><dd>{_text(value)}</dd>"
        for key, value in content.items()
    )
    return (
        f'<section class="card"><h3>{_text(title)}</h3><dl>{entries}</dl>'
        "</section>"
    )


def _kind(row: Mapping[str, Any]) -> str:
    """Return the CSS class that colours a model everywhere."""
    if row["model"] == "teacher":
        return "teacher"
    return "int8" if row["precision"] == "int8" else "student"


def _name(run: Run) -> str:
    """Return the name of the whole run, without its stage's after a slash."""
    name = run.recipe.get("name", "").partition("/")[0]
    return name or run.workdir.resolve().name


def _of_stage(run: Run) -> str:
    stage = run.recipe.get("name", "").partition("/")[2]
    return f", stage {stage}" if stage else ""
