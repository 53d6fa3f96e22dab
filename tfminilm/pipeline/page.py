"""Write the page of a made model: its data, choices and evidence."""

import pathlib

from tfminilm import files
from tfminilm.pipeline.judge import ALONE, BUNDLE, STUDENT, TEACHER
from tfminilm.pipeline.plan import Plan
from tfminilm.pipeline.survey import Survey
from tfminilm.report import site_link
from tfminilm.report.evidence_page import sections
from tfminilm.report.evidence_text import points, score, title_of
from tfminilm.report.machine import machine
from tfminilm.report.page_parts import bullets, header, write
from tfminilm.tasks.judgement import Evidence
from tfminilm.typed_json import to_json

NAME = "report.html"


def write_page(
    folder: pathlib.Path,
    name: str,
    survey: Survey,
    plan: Plan,
    evidence: Evidence,
) -> pathlib.Path:
    """Write `report.html` and `evidence.json` into a folder.

    Args:
        folder: what `make` makes.
        name: what messages call the data.
        survey: what was in it.
        plan: what was chosen.
        evidence: what came out.

    Returns:
        The page's path.
    """
    facts = to_json(evidence) | {"machine": machine()}
    files.write_json(folder / "evidence.json", facts)
    kind = survey.goal.kind.replace("_", " ")
    title = f"{folder.resolve().name}: {kind}"
    path = folder / NAME
    write(
        path,
        title,
        (
            _header(title, evidence),
            site_link.link(folder),
            *sections(evidence),
            bullets(f"The data: {pathlib.Path(name).name}", survey.lines()),
            bullets("The choices", plan.lines()),
        ),
    )
    return path


def _header(title: str, evidence: Evidence) -> str:
    metric = evidence.headline
    values = {
        name: one.metrics[metric].value for name, one in evidence.models.items()
    }
    kept = values[STUDENT] / max(values[TEACHER], 1e-9)
    gain = evidence.difference(STUDENT, ALONE)
    rounding = evidence.difference(BUNDLE, STUDENT)
    words = title_of(metric)
    tiles = (
        (
            words[:1].upper() + words[1:],
            score(metric, values[BUNDLE]),
            "of the bundle, unseen texts",
        ),
        ("Kept", f"{kept:.1%}", f"of the teacher's {words}"),
        ("Distillation", points(gain.value), "points over labels alone"),
        ("Rounding", points(rounding.value), "points by the bundle"),
    )
    return header(title, _verdict(evidence), tiles)


def _verdict(evidence: Evidence) -> str:
    gain = evidence.difference(STUDENT, ALONE)
    if gain.low > 0:
        worth = "Learning from the teacher helped"
    elif gain.high < 0:
        worth = "Learning from the teacher did harm"
    else:
        worth = "Whether the teacher helped cannot be told from so few texts"
    return (
        f"{worth}: {points(gain.value)} points of "
        f"{title_of(evidence.headline)}, between {points(gain.low)} and "
        f"{points(gain.high)} (95 %), on {evidence.examples:,} texts that no "
        "model has seen."
    )
