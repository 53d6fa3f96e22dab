"""Check a bundle's manifest, and how its parts belong together.

The app has the same rules (`Manifest.kt`), and both are tested by the cases
of `tests/export/manifest_cases.json`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.tasks.kinds import KINDS

MODEL = "model.tflite"
MOST_BYTES = 2**20  # Of a manifest.

# What a head or an app reads of each task's model.
OUTPUTS = {"encoder": ("sentence_embedding",)} | {
    kind.manifest_name: kind.outputs for kind in KINDS.values()
}
_WITH_LABELS = [
    kind.manifest_name for kind in KINDS.values() if kind.has_classes
]
RULES = ("bert", "keras_hub")

_TENSORS = {str: {"dtype": str, "shape": [int]}}
_PROBE = {
    "tolerance": float,
    "rows": [
        {
            "token_ids": [int],
            "segment_ids?": [int],
            "outputs": {str: [float]},
        }
    ],
}
_QUESTIONS = {
    "document_stride": int,
    "max_question_tokens": int,
    "max_answer_tokens": int,
    "null_threshold": (float, None),
}
_TOKENIZER = {
    "kind": str,
    "vocabulary": str,
    "special_ids": {str: int},
}
_WORDS = {
    "rules?": str,
    "lowercase": bool,
    "strip_accents": bool,
    "suffix_indicator": str,
}
_PIECES = {"id_offset": int, "separators_between_texts": int}
# Of the first format version, too.
_FIRST = {
    "task": str,
    "task_name": (str, None),
    "num_texts?": int,
    "labels": ([str], None),
    "question_answering?": (dict, None),
    "precision": str,
    "model": {"vocabulary_size": int, "parameters": int},
    "tokenizer": _TOKENIZER,
    "signatures": {
        str: {"length": int, "inputs": _TENSORS, "outputs": _TENSORS}
    },
    "files": {str: {"bytes": int, "sha256": str}},
}
_SECOND = _FIRST | {
    "num_texts": int,
    "probe": _PROBE,
    "runtimes": {str: (str, None)},
}
_INPUTS = ("token_ids", "segment_ids", "padding_mask")
_SPECIAL = ("cls", "sep", "pad", "unk")
_LIBRARIES = ("tensorflow-lite", "ai-edge-litert")

_MOST_TOKENS = 1_000_000
_MOST_ROWS = 64
_MOST_BYTES = 2**40
_MOST_REAL = 1e30  # A float32 holds it.
_LONGEST_INDICATOR = 16

# No separator, no drive, no "..": what it names lies in the folder itself.
_PLAIN_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_VERSION = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def fault(manifest: Mapping[str, Any], version: int = 2) -> str:
    """Tells what is wrong with a manifest; empty if nothing is.

    Args:
        manifest: its content, as `json_files` reads it.
        version: of its format.
    """
    try:
        _require(manifest, version)
    except ValueError as error:
        return str(error)
    return ""


def _require(manifest: Mapping[str, Any], version: int) -> None:
    json_files.require(manifest, _SECOND if version > 1 else _FIRST)
    task = manifest["task"]
    _one_of("task", task, OUTPUTS)
    _between("num_texts", manifest.get("num_texts", 1), 1, 2)
    rows = manifest["model"]["vocabulary_size"]
    _between("model.vocabulary_size", rows, 1, 2**31 - 1)
    _between("model.parameters", manifest["model"]["parameters"], 1, 10**15)
    _require_files(manifest)
    _require_labels(task, manifest["labels"])
    if (manifest["task_name"] is None) != (task == "encoder"):
        raise ValueError(
            f"task_name is {manifest['task_name']!r}, expected text of a task "
            "and null of an encoder"
        )
    _require_tokenizer(manifest["tokenizer"], rows, version)
    _require_signatures(manifest)
    _require_questions(manifest)
    if version > 1:
        _require_probe(manifest)
        _require_runtimes(manifest["runtimes"])


def _require_files(manifest: Mapping[str, Any]) -> None:
    known = manifest["files"]
    for name, said in known.items():
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a file")
        _between(f"files.{name}.bytes", said["bytes"], 1, _MOST_BYTES)
        if not _DIGEST.fullmatch(said["sha256"]):
            raise ValueError(f"files.{name}.sha256 is no SHA-256")
    for name in (MODEL, manifest["tokenizer"]["vocabulary"]):
        if name not in known:
            raise ValueError(f"it has no checksum of {name}")


def _require_labels(task: str, labels: Sequence[str] | None) -> None:
    if (labels is None) != (task not in _WITH_LABELS):
        raise ValueError(
            "labels is "
            f"{'null' if labels is None else 'a list'}, expected a list of "
            "text of a classification and null of others"
        )
    if labels is not None and (not labels or len({*labels}) < len(labels)):
        raise ValueError("labels has none, or one of them twice")


def _require_tokenizer(
    said: Mapping[str, Any], rows: int, version: int
) -> None:
    _one_of("tokenizer.kind", said["kind"], ("wordpiece", "sentencepiece"))
    is_words = said["kind"] == "wordpiece"
    json_files.require(said, _WORDS if is_words else _PIECES, "tokenizer")
    if is_words:
        indicator = said["suffix_indicator"]
        # Native code cannot be given any: it ends the process.
        if not re.fullmatch(rf"[!-~]{{1,{_LONGEST_INDICATOR}}}", indicator):
            raise ValueError(
                f"tokenizer.suffix_indicator is {indicator[:20]!r}, expected "
                f"1 to {_LONGEST_INDICATOR} of ASCII's signs, such as ##"
            )
        if version > 1 and "rules" not in said:
            raise ValueError("tokenizer.rules is missing")
        _one_of("tokenizer.rules", said.get("rules", RULES[0]), RULES)
    else:
        _between("tokenizer.id_offset", said["id_offset"], 0, 1000)
        between = said["separators_between_texts"]
        _between("tokenizer.separators_between_texts", between, 1, 2)
    special = said["special_ids"]
    for name in (*_SPECIAL, *special):
        place = f"tokenizer.special_ids.{name}"
        if name not in special:
            raise ValueError(f"{place} is missing")
        _between(place, special[name], 0, rows - 1)


def _require_signatures(manifest: Mapping[str, Any]) -> None:
    signatures = manifest["signatures"]
    lengths = [one["length"] for one in signatures.values()]
    if not lengths or len({*lengths}) < len(lengths):
        raise ValueError("signatures has none, or one length twice")
    for name, one in signatures.items():
        place = f"signatures.{name}"
        length = one["length"]
        _between(f"{place}.length", length, 1, _MOST_TOKENS)
        if "token_ids" not in one["inputs"]:
            raise ValueError(f"{place}.inputs.token_ids is missing")
        for given, tensor in one["inputs"].items():
            _one_of(f"{place}.inputs", given, _INPUTS)
            own = f"{place}.inputs.{given}"
            _require_tensor(own, tensor, "int32", [1, length])
        widths = _widths(manifest, length)
        for wanted in OUTPUTS[manifest["task"]]:
            own = f"{place}.outputs.{wanted}"
            if wanted not in one["outputs"]:
                raise ValueError(f"{own} is missing")
            shape = [1, widths[wanted]]
            _require_tensor(own, one["outputs"][wanted], "float32", shape)


def _require_tensor(
    place: str, tensor: Mapping[str, Any], kind: str, shape: list[int]
) -> None:
    if tensor["dtype"] != kind:
        raise ValueError(f"{place}.dtype is not {kind}")
    if tensor["shape"] != shape:
        found = str(tensor["shape"])[:40]
        raise ValueError(f"{place}.shape is {found}, expected {shape}")


def _widths(manifest: Mapping[str, Any], length: int) -> dict[str, int]:
    """Numbers of each output for `length` tokens."""
    first = next(iter(manifest["signatures"].values()))["outputs"]
    shape = first.get("sentence_embedding", {}).get("shape", [])
    return {
        "logits": len(manifest["labels"] or [""]),
        "start_logits": length,
        "end_logits": length,
        "sentence_embedding": max(1, *shape[-1:], 1),
    }


def _require_questions(manifest: Mapping[str, Any]) -> None:
    said = manifest.get("question_answering")
    is_asked = manifest["task"] == "question_answering"
    if (said is not None) != is_asked:
        raise ValueError(
            "question_answering is "
            f"{'null' if said is None else 'an object'}, and the task is "
            f"{manifest['task']}"
        )
    if said is None:
        return
    json_files.require(said, _QUESTIONS, "question_answering")
    if manifest.get("num_texts", 2) != 2:
        raise ValueError("num_texts is 1, expected 2 of questions")
    for name in ("document_stride", "max_question_tokens", "max_answer_tokens"):
        _between(f"question_answering.{name}", said[name], 1, _MOST_TOKENS)
    threshold = said["null_threshold"]
    if threshold is not None and abs(threshold) > _MOST_REAL:
        raise ValueError(
            f"question_answering.null_threshold is {threshold:g}, expected "
            f"-{_MOST_REAL:g} to {_MOST_REAL:g}"
        )
    longest = max(one["length"] for one in manifest["signatures"].values())
    between = manifest["tokenizer"].get("separators_between_texts", 1)
    taken = said["max_question_tokens"] + 2 + between
    if taken >= longest:
        raise ValueError(
            f"a question may take {taken} of {longest} tokens, which leaves "
            "no room for a text"
        )


def _require_probe(manifest: Mapping[str, Any]) -> None:
    probe, rows = manifest["probe"], manifest["model"]["vocabulary_size"]
    tolerance = probe["tolerance"]
    if not 0 < tolerance <= _MOST_REAL:
        raise ValueError(f"probe.tolerance is {tolerance:g}, expected above 0")
    _between("the number of probe.rows", len(probe["rows"]), 2, _MOST_ROWS)
    longest = max(one["length"] for one in manifest["signatures"].values())
    for index, row in enumerate(probe["rows"]):
        place = f"probe.rows[{index}]"
        ids = row["token_ids"]
        segments = row.get("segment_ids", [0] * len(ids))
        _between(f"the size of {place}.token_ids", len(ids), 1, longest)
        if len(segments) != len(ids):
            raise ValueError(f"{place}.segment_ids has another size")
        for name, values, most in (
            ("token_ids", ids, rows - 1),
            ("segment_ids", segments, 1),
        ):
            for worst in (min(values), max(values)):
                _between(f"{place}.{name}", worst, 0, most)
        _require_answers(manifest, place, len(ids), row["outputs"])


def _require_answers(
    manifest: Mapping[str, Any],
    place: str,
    size: int,
    outputs: Mapping[str, Sequence[float]],
) -> None:
    wanted = OUTPUTS[manifest["task"]]
    if {*outputs} != {*wanted}:
        raise ValueError(f"{place}.outputs are not {' and '.join(wanted)}")
    widths = _widths(manifest, size)
    for name, values in outputs.items():
        if len(values) != widths[name]:
            raise ValueError(
                f"{place}.outputs.{name} has {len(values)} numbers, expected "
                f"{widths[name]}"
            )
        if max(map(abs, values)) > _MOST_REAL:
            raise ValueError(f"{place}.outputs.{name} has too large a number")


def _require_runtimes(said: Mapping[str, str | None]) -> None:
    for name in _LIBRARIES:
        if name not in said:
            raise ValueError(f"runtimes.{name} is missing")
    for name, version in said.items():
        if version is not None and not _VERSION.fullmatch(version):
            raise ValueError(
                f"runtimes.{name} is {version[:20]!r}, expected a version "
                "such as 2.16.1, or null"
            )


def _one_of(place: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(
            f"{place} is {value[:20]!r}, expected {' or '.join(known)}"
        )


def _between(place: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{place} is {value}, expected {least} to {most:,}")
