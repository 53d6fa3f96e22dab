"""Read the evidence that `evaluate` and `finetune` wrote of a run's model."""

import pathlib

from tfminilm import json_files, typed_json
from tfminilm.errors import UserError
from tfminilm.tasks.judgement import Evidence

_SHAPE = {"evidence?": dict}
_REMEDY = "evaluate the model again"


def read(workdir: pathlib.Path) -> dict[str, Evidence]:
    """Return evidence by a title, such as "sst2, validation".

    Args:
        workdir: of a run.

    Raises:
        UserError: a file is damaged; it names the file.
    """
    paths = [
        *sorted(workdir.glob("evaluation-*.json")),
        *sorted((workdir / "student").glob("evaluation-*.json")),
    ]
    if not paths and (workdir / "results.json").is_file():
        paths = [workdir / "results.json"]
    titled = {}
    for path in paths:
        splits = json_files.read(path, _SHAPE, _REMEDY).get("evidence", {})
        for split, content in splits.items():
            try:
                evidence = typed_json.parse(Evidence, content, place=split)
                _require_shown(evidence, split)
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{path} cannot be read: {error}; {_REMEDY}"
                ) from error
            titled[f"{evidence.task}, {split}"] = evidence
    return titled


def _require_shown(evidence: Evidence, place: str) -> None:
    names = [evidence.shown, *filter(None, [evidence.against])]
    for name in names:
        if name not in evidence.models:
            raise ValueError(f"{place}.models has no {name[:60]!r}")
    shown = evidence.models[evidence.shown]
    if not shown.metrics:
        raise ValueError(f"{place}: there are no metrics")
    size = len(shown.classes)
    if any(len(row) != size for row in shown.confusion):
        raise ValueError(f"{place}: confusion is not of {size} classes")
    for one in (*evidence.worst, *evidence.disagreements):
        if {*one.answers} != {*evidence.models}:
            raise ValueError(f"{place}: an example has not each model's answer")
