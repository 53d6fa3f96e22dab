"""How many texts a model reads together, from its fine-tuning to its bundle."""

import json

import pytest

from tfminilm.export.bundle import contents
from tfminilm.export.target import Target
from tfminilm.tasks.settings import SETTINGS, Settings
from tfminilm.teachers import load_backbone


@pytest.mark.parametrize(
    ("task", "kind", "count"),
    [
        ("mrpc", "classification", 2),
        ("sst2", "classification", 1),
        ("squad", "qa", 2),
        ("csv:own.csv", "classification", 1),
    ],
)
def test_settings_of_an_older_run(task, kind, count, tmp_path):
    Settings(task, kind, ("no", "yes"), 16).save(tmp_path)
    older = json.loads((tmp_path / SETTINGS).read_text())
    del older["num_texts"]
    (tmp_path / SETTINGS).write_text(json.dumps(older))
    assert Settings.load(tmp_path).num_texts == count


def test_settings_of_pairs_of_ones_own(tmp_path):
    own = Settings("csv:own.csv", "regression", (), 16, num_texts=2)
    own.save(tmp_path)
    assert Settings.load(tmp_path) == own


def test_the_manifest_says_it():
    def found(settings):
        backbone, target = load_backbone("tiny:bert"), Target(lengths=(128,))
        return contents.identity(backbone, target, settings, "").num_texts

    labels = ("no", "yes")
    assert found(None) == 1
    assert found(Settings("sst2", "classification", labels, 128)) == 1
    assert found(Settings("x", "classification", labels, 128, num_texts=2)) == 2
    assert found(Settings("squad", "qa", (), 128)) == 2
