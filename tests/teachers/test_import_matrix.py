"""Every family with every head, as `transformers` 4 and 5 save it.

What is right, and what is refused, is the table of `docs/results/imports.md`.
"""

import itertools
import json
import pathlib
import zlib

import keras
import make_import_matrix as made
import ml_dtypes  # noqa: F401  NumPy's bfloat16.
import numpy as np
import pytest
import safetensors.numpy

from tfminilm import UserError, teachers
from tfminilm.tasks import heads

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = np.load(made.GOLDEN)
FORMS = (*made.DTYPES, made.PARTS)
TOLERANCE = 1e-4
LOADERS = {
    "bare": teachers.load_backbone,
    "masked words": teachers.load_masked_lm,
}


def read_page():
    """What the page says of each family with each head."""
    text = (ROOT / "docs/results/imports.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if "|" in line]
    first, _, *others = [[cell.strip(" `") for cell in row] for row in rows]
    return {
        (row[0], head): cell
        for row in others
        for head, cell in zip(first[1:], row[1:], strict=True)
    }


SAID = read_page()
CASES = list(itertools.product(made.CASES, made.VERSIONS, FORMS))


def is_slow(case):
    """Tell whether it waits for the slow tests: all but a sixteenth."""
    return zlib.crc32(repr(case).encode()) % 16 > 0


def write(folder, layout, form):
    settings, shapes, parts = layout.values()
    dtype = "float32" if form == made.PARTS else form
    tensors = made.tensors_of(settings, shapes, np.dtype(dtype))
    (folder / "config.json").write_text(json.dumps(settings))
    if form != made.PARTS:
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        return settings
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": parts}))
    for part in {*parts.values()}:
        held = {name: x for name, x in tensors.items() if parts[name] == part}
        safetensors.numpy.save_file(held, folder / part)
    return settings


def outputs(model, settings):
    """What `made.outputs` takes from the other library's model."""
    batch = made.imports.batch(settings)
    shape = batch["input_ids"].shape
    given = {
        "token_ids": batch["input_ids"],
        "segment_ids": batch["token_type_ids"],
        "padding_mask": batch["attention_mask"],
        "mask_positions": np.broadcast_to(np.arange(shape[1]), shape),
    }
    inputs = {name: given[name].astype("int32") for name in model.input}
    found = model(inputs, training=False)
    if isinstance(found, dict):
        found = keras.tree.map_structure(keras.ops.convert_to_numpy, found)
        if "start_logits" in found:
            both = found["start_logits"], found["end_logits"]
            return np.stack([made.real(x, settings) for x in both])
        (found,) = (x for x in found.values() if x.ndim == 3)
    found = keras.ops.convert_to_numpy(found)
    return made.real(found, settings) if found.ndim == 3 else found


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=f"{'-'.join(case[0])}-{case[1]}-{case[2]}",
            marks=[pytest.mark.slow] * is_slow(case),
        )
        for case in CASES
    ],
)
def test_right_or_refused(case, tmp_path):
    (family, head), version, form = case
    index = made.CASES.index((family, head))
    layout = json.loads(str(GOLDEN[f"{version}/layouts"]))[index]
    settings = write(tmp_path, layout, form)
    load = LOADERS.get(head, heads.load_head)
    if (said := SAID[family, head]) != "right":
        with pytest.raises(UserError, match=said.removeprefix("refused: ")):
            load(tmp_path)
        return
    found = outputs(load(tmp_path), settings)
    rows = dict(zip(made.DTYPES, GOLDEN[f"{version}/sums"][index], strict=True))
    *wanted, largest = rows.get(form, rows["float32"])
    few = made.sums(family + head, found)
    assert np.max(np.abs(few - wanted)) < TOLERANCE * largest
    assert np.max(np.abs(found)) == pytest.approx(largest, rel=TOLERANCE)


def test_the_page_has_every_case():
    assert list(SAID) == made.CASES
