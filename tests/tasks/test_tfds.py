"""TFDS's own builders prepare the files of `originals`; nothing is fetched."""

import dataclasses
import shutil
import tarfile

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import TASKS, get_task, read

tfds = pytest.importorskip("tensorflow_datasets")


def _downloaded(folder, url):
    """Where TFDS would have put what it fetches from `url`."""
    url = str(url)
    for part, name in {
        "mrpc_dev_ids": "dev_ids.tsv",
        "msr_paraphrase_train": "msr_paraphrase_train.txt",
        "msr_paraphrase_test": "MRPC/test.tsv",
        "bit.ly": "AX/AX.tsv",
        "aclImdb": "aclImdb.tar.gz",
        "SQuAD-explorer": url.rpartition("/")[2],
    }.items():
        if part in url:
            return folder / name
    return folder


@pytest.fixture(scope="module")
def downloads(originals, tmp_path_factory):
    """`originals`, and the forms in which TFDS fetches MRPC and IMDb."""
    folder = tmp_path_factory.mktemp("downloads") / "files"
    shutil.copytree(originals, folder)
    # TFDS has MRPC's training file and the ids of the rows to validate on.
    train = (folder / "MRPC/train.tsv").read_text()
    dev = (folder / "MRPC/dev.tsv").read_text()
    rows = dev.partition("\n")[2]
    (folder / "msr_paraphrase_train.txt").write_text(train + rows)
    (folder / "dev_ids.tsv").write_text("15\t16\n")
    with tarfile.open(folder / "aclImdb.tar.gz", "w:gz") as archive:
        archive.add(folder / "aclImdb", "aclImdb")
    return folder


@pytest.fixture(autouse=True)
def machinery(downloads, monkeypatch, tmp_path_factory):
    tfds.disable_progress_bar()
    monkeypatch.setattr(
        tfds.core.constants,
        "DATA_DIR",
        str(tmp_path_factory.getbasetemp() / "tfds_tasks"),
    )

    def fetch(self, urls):
        if isinstance(urls, dict):
            return {name: fetch(self, url) for name, url in urls.items()}
        return _downloaded(downloads, urls)

    manager = tfds.download.DownloadManager
    monkeypatch.setattr(manager, "download", fetch)
    monkeypatch.setattr(manager, "download_and_extract", fetch)


def without_ids(examples):
    return sorted((e.texts, e.label) for e in examples)


@pytest.mark.parametrize(
    "name", [name for name in TASKS if TASKS[name].tfds.startswith("glue/")]
)
def test_glue_is_the_same_from_files_and_from_tfds(originals, name):
    task = get_task(name)
    for split in task.splits:
        files = read(task, split, originals)
        stored = read(task, split)
        if name == "mrpc":  # TFDS numbers its rows in another file.
            assert without_ids(stored) == without_ids(files)
        else:
            assert stored == files


def test_imdb_is_the_same(originals):
    task = get_task("imdb")
    for split in task.splits:
        stored = read(task, split)
        assert without_ids(stored) == without_ids(read(task, split, originals))
        assert stored == read(task, split)


@pytest.mark.parametrize("language", [None, "de", "zh"])
def test_xnli_is_the_same(originals, language):
    task = get_task("xnli")
    for split in task.splits:
        stored = read(task, split, language=language)
        files = read(task, split, originals, language=language)
        assert len(stored) == 3
        assert {type(e.label) for e in stored} == {int}
        assert without_ids(stored) == without_ids(files)


@pytest.mark.parametrize("name", ["squad", "squad_v2"])
def test_squad_is_the_same(originals, name):
    task = get_task(name)
    for split in task.splits:
        stored = sorted(read(task, split), key=lambda e: e.id)
        files = sorted(read(task, split, originals), key=lambda e: e.id)
        assert stored == files


def test_mlqa_is_the_same(originals):
    task = get_task("mlqa")
    for split in task.splits:
        for code in ("en", "de"):
            assert read(task, split, language=code) == read(
                task, split, originals, language=code
            )
    with pytest.raises(UserError, match="in one language, not de-en"):
        read(task, "test", language="de-en")


class TfminilmOddTask(tfds.core.GeneratorBasedBuilder):
    """What a data set of another version, or a bad one, may hold."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name)
        for name in ("score", "classes", "swapped", "answers", "offline")
    ]

    def _info(self):
        text = tfds.features.Text()
        features = {"sentence1": text, "sentence2": text, "label": np.float32}
        if self.builder_config.name in ("classes", "swapped"):
            names = ["not_entailment", "entailment"]
            if self.builder_config.name == "classes":
                names = ["no", "yes"]
            features["label"] = tfds.features.ClassLabel(names=names)
        if self.builder_config.name == "answers":
            answer = {"text": text, "answer_start": np.int32}
            answers = tfds.features.Sequence(answer)
            features = dict.fromkeys(["id", "question", "context"], text)
            features["answers"] = answers
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        if self.builder_config.name == "offline":
            raise ConnectionError("no route\nto host")
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        row = {"sentence1": "a", "sentence2": "b", "label": 0}
        if self.builder_config.name == "score":
            row["label"] = 7.5
        if self.builder_config.name == "answers":
            answers = [{"text": "not there", "answer_start": 1}]
            row = {"id": "q9", "question": "?", "context": "c d"}
            row["answers"] = answers
        yield 0, row


def odd(name, config):
    return dataclasses.replace(
        get_task(name), tfds=f"tfminilm_odd_task/{config}"
    )


def test_classes_are_matched_by_name():
    (example,) = read(odd("rte", "swapped"), "train")
    assert get_task("rte").labels[example.label] == "not_entailment"


@pytest.mark.parametrize(
    ("name", "config", "split", "message"),
    [
        ("stsb", "score", "train", "score 7.5 is out of stsb's range"),
        ("stsb", "score", "validation", "no such split; it has train"),
        ("rte", "classes", "train", "its labels are no, yes, those of rte"),
        ("squad", "answers", "train", "not stand .* question 'q9'; mend"),
        ("rte", "offline", "train", "not prepared in .*no route"),
        ("rte", "gone", "train", "cannot open .*gone"),
    ],
)
def test_bad_data_sets(name, config, split, message):
    with pytest.raises(UserError, match=message) as raised:
        read(odd(name, config), split)
    assert "\n" not in str(raised.value)
