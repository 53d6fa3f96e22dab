"""The real files that lie beside the project, where there are some."""

import collections
import pathlib

import pytest

from tfminilm.tasks import get_task, read
from tfminilm.tasks.squad_metrics import score

DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def folder():
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    return DATA


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("sst2", (67_349, 872, 1_821)),
        ("cola", (8_551, 1_043, 1_063)),
        ("mrpc", (3_668, 408, 1_725)),
        ("stsb", (5_749, 1_500, 1_379)),
    ],
)
def test_glue(folder, name, sizes):
    task = get_task(name)
    for split, size in zip(task.splits, sizes, strict=True):
        examples = read(task, split, folder / "glue")
        assert [e.id for e in examples] == [str(i) for i in range(size)]
        assert all(text.strip() for e in examples for text in e.texts)
        unlabelled = sum(e.label is None for e in examples)
        assert unlabelled == (size if split == "test" else 0)


@pytest.mark.parametrize("language", "en es fr de zh".split())
def test_xnli(folder, language):
    task = get_task("xnli")
    dev = read(task, "validation", folder, language=language)
    counts = collections.Counter(e.label for e in dev)
    assert counts == {0: 830, 1: 830, 2: 830}
    test = read(task, "test", folder, language=language)
    assert len(test) == 5_010


def test_squad(folder):
    dev = read(get_task("squad"), "validation", folder / "squad")
    assert len(dev) == 10_570
    assert sum(len(e.answers) for e in dev) == 34_726
    part = dev[::10]
    gold = {e.id: e.answers[-1] for e in part}
    assert score(part, gold)["exact"] == 100
    train = read(get_task("squad"), "train", folder / "squad")
    assert len(train) == 15_262


def test_squad_v2(folder):
    found = read(get_task("squad_v2"), "train", folder / "squad")
    assert len(found) == 4_719
    assert sum(e.is_impossible for e in found) == 348
    found = score(found, {e.id: "" for e in found})
    assert found["NoAns_f1"] == 100
    assert found["exact"] == 100 * 348 / 4_719
