"""Check a bundle's manifest, and how its parts belong together.

What a single value may be stands at its field in `export.manifest`; here is
what several of them must agree on. The app has the same rules
(`ManifestRules.kt`), and both are tested by the cases of
`tests/export/manifest_cases.json`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfminilm import typed_json
from tfminilm.export.manifest import (
    FORMAT_VERSION,
    OUTPUTS,
    Manifest,
    ProbeRow,
    Signature,
    Tensor,
)
from tfminilm.tasks.entities import is_tag
from tfminilm.tokenizer import KERAS_HUB

MOST_BYTES = 2**20  # Of a manifest.

_INPUTS = ("token_ids", "segment_ids", "padding_mask")
# What bundles of the first format version may leave out.
_FIRST_VERSION: dict[str, Any] = {
    "tfminilm": "",
    "description": "",
    "question_answering": None,
    "target": "",
    "layers": {},
}


def read(content: Mapping[str, Any]) -> Manifest:
    """Read a manifest of this format version, or of an older one.

    Args:
        content: of the file, as `json_files` reads it.

    Raises:
        ValueError: something is missing, out of range or in contradiction to
            something else; the message names its place.
    """
    version = content["format_version"]
    if version < FORMAT_VERSION:
        content = _upgraded(content)
    manifest = typed_json.parse(Manifest, content, version)
    _require_files(manifest)
    _require_special_ids(manifest)
    _require_signatures(manifest)
    _require_room_for_text(manifest)
    _require_probe(manifest)
    _require_thresholds(manifest)
    _require_tags(manifest)
    return manifest


def _upgraded(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the first format version did not say."""
    is_asked = content.get("task") == "question_answering"
    content = {
        **_FIRST_VERSION,
        "num_texts": 2 if is_asked else 1,
        **content,
        "format_version": FORMAT_VERSION,
    }
    if isinstance(tokenizer := content.get("tokenizer"), Mapping):
        content["tokenizer"] = {"rules": KERAS_HUB, **tokenizer}
    return content


def _require_files(manifest: Manifest) -> None:
    if manifest.tokenizer.vocabulary not in manifest.files:
        raise ValueError(
            f"it has no checksum of {manifest.tokenizer.vocabulary}"
        )


def _require_special_ids(manifest: Manifest) -> None:
    rows = manifest.model.vocabulary_size
    for name, index in manifest.tokenizer.special_ids.items():
        _require_row(f"tokenizer.special_ids.{name}", index, rows)


def _require_signatures(manifest: Manifest) -> None:
    lengths = [one.length for one in manifest.signatures.values()]
    if len({*lengths}) < len(lengths):
        raise ValueError("signatures has one length twice")
    for name, signature in manifest.signatures.items():
        _require_inputs(f"signatures.{name}.inputs", signature)
        shapes = _shapes(manifest, signature.length)
        for output in OUTPUTS[manifest.task]:
            place = f"signatures.{name}.outputs.{output}"
            if output not in signature.outputs:
                raise ValueError(f"{place} is missing")
            tensor = signature.outputs[output]
            _require_tensor(place, tensor, "float32", shapes[output])


def _require_inputs(place: str, signature: Signature) -> None:
    if "token_ids" not in signature.inputs:
        raise ValueError(f"{place}.token_ids is missing")
    for name, tensor in signature.inputs.items():
        if name not in _INPUTS:
            raise ValueError(
                f"{place} has {name[:20]!r}, expected {' or '.join(_INPUTS)}"
            )
        shape = (1, signature.length)
        _require_tensor(f"{place}.{name}", tensor, "int32", shape)


def _require_tensor(
    place: str, tensor: Tensor, dtype: str, shape: tuple[int, ...]
) -> None:
    if tensor.dtype != dtype:
        raise ValueError(f"{place}.dtype is not {dtype}")
    if tensor.shape != shape:
        shape_text = str([*tensor.shape])[:40]
        raise ValueError(f"{place}.shape is {shape_text}, expected {[*shape]}")


def _shapes(manifest: Manifest, length: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each output for `length` tokens."""
    first = next(iter(manifest.signatures.values())).outputs
    embedding = first.get("sentence_embedding")
    width = max(1, *embedding.shape[-1:], 1) if embedding else 1
    classes = len(manifest.labels or [""])
    return {
        "logits": (1, classes),
        "start_logits": (1, length),
        "end_logits": (1, length),
        "token_logits": (1, length, classes),
        "sentence_embedding": (1, width),
    }


def _require_room_for_text(manifest: Manifest) -> None:
    """Refuse questions that may fill all of the longest signature."""
    questions = manifest.question_answering
    if questions is None:
        return
    if manifest.num_texts != 2:
        raise ValueError("num_texts is 1, expected 2 of questions")
    longest = max(one.length for one in manifest.signatures.values())
    between = manifest.tokenizer.separators_between_texts or 1
    taken = questions.max_question_tokens + 2 + between
    if taken >= longest:
        raise ValueError(
            f"a question may take {taken} of {longest} tokens, which leaves "
            "no room for a text"
        )


def _require_probe(manifest: Manifest) -> None:
    """Refuse known answers that the model cannot give."""
    if manifest.probe is None:
        return
    for index, row in enumerate(manifest.probe.rows):
        place = f"probe.rows[{index}]"
        _require_ids(manifest, place, row)
        _require_answers(manifest, place, len(row.token_ids), row.outputs)


def _require_ids(manifest: Manifest, place: str, row: ProbeRow) -> None:
    longest = max(one.length for one in manifest.signatures.values())
    size = len(row.token_ids)
    if size > longest:
        raise ValueError(
            f"{place}.token_ids has {size} ids, expected up to {longest}"
        )
    if row.segment_ids is not None and len(row.segment_ids) != size:
        raise ValueError(f"{place}.segment_ids has another size")
    rows = manifest.model.vocabulary_size
    _require_row(f"{place}.token_ids", max(row.token_ids), rows)


def _require_answers(
    manifest: Manifest,
    place: str,
    size: int,
    outputs: Mapping[str, Sequence[float]],
) -> None:
    expected = OUTPUTS[manifest.task]
    if {*outputs} != {*expected}:
        raise ValueError(f"{place}.outputs are not {' and '.join(expected)}")
    shapes = _shapes(manifest, size)
    for name, values in outputs.items():
        count = math.prod(shapes[name])
        if len(values) != count:
            raise ValueError(
                f"{place}.outputs.{name} has {len(values)} numbers, expected "
                f"{count}"
            )


def _require_tags(manifest: Manifest) -> None:
    """Refuse labels of tagged texts that are no tags."""
    if manifest.token_classification is None:
        return
    for label in manifest.labels or ():
        if not is_tag(label):
            raise ValueError(f"labels has {label[:60]!r}, which is no tag")


def _require_thresholds(manifest: Manifest) -> None:
    part = manifest.multi_label_classification
    labels = manifest.labels or ()
    if part is not None and len(part.thresholds) != len(labels):
        raise ValueError(
            f"multi_label_classification.thresholds has "
            f"{len(part.thresholds)} numbers, expected {len(labels)}"
        )


def _require_row(place: str, index: int, rows: int) -> None:
    """Refuse an id that the table of tokens has no row for."""
    if index >= rows:
        raise ValueError(f"{place} is {index}, expected 0 to {rows - 1:,}")
