import numpy as np
import pytest

from tfminilm.data import documents
from tfminilm.data.corpus import identity
from tfminilm.errors import UserError

tfds = pytest.importorskip("tensorflow_datasets")


class TfminilmTinyText(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="plain"),
        tfds.core.BuilderConfig(name="offline"),
    ]

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "title": tfds.features.Text(),
                    "label": np.int64,
                }
            )
        )

    def _split_generators(self, dl_manager):
        if self.builder_config.name == "offline":
            raise ConnectionError("no route\nto host")
        return {"train": self._generate(5), "test": self._generate(1)}

    def _generate_examples(self):
        raise AssertionError

    def _generate(self, count):
        for i in range(count):
            text = f"Text {i} is é. It ends.\n\nNew line of {i}."
            yield i, {"text": text, "title": f"Title {i}.", "label": i}


@pytest.fixture(autouse=True)
def data_dir(tmp_path_factory, monkeypatch):
    tfds.disable_progress_bar()
    folder = tmp_path_factory.getbasetemp() / "tfds"
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))


def expected(i):
    return [f"Text {i} is é.", "It ends.", f"New line of {i}."]


def test_reads_every_example_as_a_document():
    found = list(documents("tfds:tfminilm_tiny_text"))
    assert sorted(found) == [expected(i) for i in range(5)]
    assert found == list(documents("tfds:tfminilm_tiny_text/plain:train:text"))


def test_config_version_split_slice_and_key():
    name = "tfds:tfminilm_tiny_text/plain:1.0.0"
    # A data set of one example is a text, whose documents end at blank lines.
    assert list(documents(f"{name}:test")) == [expected(0)[:2], expected(0)[2:]]
    assert len(list(documents(f"{name}:train[:40%]"))) == 2
    assert len(list(documents(f"{name}:train+test"))) == 5
    assert list(documents(f"{name}:test:title")) == [["Title 0."]]


def test_identity_tells_splits_and_keys_apart():
    sources = ["", ":test", ":train[:40%]", ":train:title"]
    found = [identity(f"tfds:tfminilm_tiny_text{s}") for s in sources]
    assert len({str(one) for one in found}) == len(sources)
    assert found[0] == identity("tfds:tfminilm_tiny_text")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("tfds:", "malformed"),
        ("tfds:a:b:c:d", "malformed"),
        ("tfds:tfminilm_no_such", "cannot open .*tfminilm_no_such"),
        ("tfds:tfminilm_tiny_text/gone", "cannot open .*gone"),
        ("tfds:tfminilm_tiny_text:valid", "no split 'valid'.*train, test|"),
        ("tfds:tfminilm_tiny_text:train:label", "no text feature 'label'.*tit"),
        (
            "tfds:tfminilm_tiny_text/offline",
            "not prepared in .*no route.*TFDS_DATA_DIR",
        ),
    ],
)
def test_errors_are_one_clear_line(source, message):
    with pytest.raises(UserError, match=message) as raised:
        documents(source)
    assert "\n" not in str(raised.value)
