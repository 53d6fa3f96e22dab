"""Small models with heads, and what export makes of them."""

import shutil

import make_hugging_face
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task

TASKS = {
    "bert_classifier": "sst2",
    "bert_score": "stsb",
    "bert_span": "squad",
    "bert_pair": "stsb",
}
# A cross-encoder gives logits, and the sigmoid makes scores of them.
ACTIVATIONS = {"bert_pair": "sigmoid"}
TARGETS = {
    "bundle": "android_fp32",
    "hugging_face": "hugging_face",
    "onnx": "server_onnx",
    "saved_model": "server_saved_model",
    "transformers_js": "transformers_js",
}
# A question takes up to 64 tokens.
LENGTHS = {"squad": "100", "sst2": "8,14", "stsb": "14"}


@pytest.fixture(scope="session")
def saved(randomise, tmp_path_factory):
    """`saved(name)`: the workdir of a finished run of a small model."""
    made, root = make_hugging_face, tmp_path_factory.mktemp("saved")

    def save(name):
        folder = root / name / "student"
        if not folder.is_dir():
            task = get_task(TASKS[name])
            length = int(LENGTHS[task.name].rpartition(",")[2])
            model = heads.rebuilt(
                made.student(name.replace("pair", "score")),
                max_sequence_length=max(16, length),
            )
            # Rebuilding makes weights anew; these all count.
            randomise(model)
            folder.mkdir(parents=True)
            model.save_to_preset(str(folder))
            made.tokenizer().save_to_preset(str(folder))
            Settings(
                task.name, task.kind, task.labels, length, 6,
                num_texts=len(task.texts),
                score_activation=ACTIVATIONS.get(name, ""),
            ).save(folder)  # fmt: skip
            (folder.parent / "recipe.json").write_text("{}")
        return folder.parent

    return save


@pytest.fixture(scope="session")
def exported(saved, tmp_path_factory):
    """`exported(name, kind)`: what export writes of a small model."""
    root = tmp_path_factory.mktemp("exported")

    def export(name, kind):
        folder = root / f"{name}-{kind}"
        if not folder.is_dir():
            lengths = LENGTHS[TASKS[name]]
            given = [f"--model={saved(name)}", f"--output={folder}"]
            given.append(f"--config.lengths={lengths}")
            assert main(["export", f"--config={TARGETS[kind]}", *given]) == 0
        return folder

    return export


@pytest.fixture(scope="session")
def loaded(saved, exported, tmp_path_factory):
    """`loaded(name, kind)`: an opened model. Shared: tests only ask it."""
    known = {}
    root = tmp_path_factory.mktemp("zipped")

    def load(name, kind="workdir"):
        if (name, kind) not in known:
            if kind == "workdir":
                source = saved(name)
            elif kind == "zip":
                folder = exported(name, "bundle")
                source = shutil.make_archive(
                    root / name, "zip", folder.parent, folder.name
                )
            else:
                source = exported(name, kind)
            known[name, kind] = tfminilm.load(source)
        return known[name, kind]

    return load
