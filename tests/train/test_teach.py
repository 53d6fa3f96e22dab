"""A teacher that runs once: its outputs in files, read by later runs."""

import json
import re
import shutil

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from tfminilm import teachers
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.train.outputs import teach as teaching
from tfminilm.train.outputs.store import Store

FLAG = "--config.data.teacher_outputs"
RECIPE = """
from tfminilm import methods
from tfminilm.train import recipe

def get_config(kind):
    return recipe.Recipe(
        name="taught", teacher={teacher!r} if kind == "text" else {head!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32,
            max_sequence_length=32, init="bottom",
        ),
        method=dict(
            task=methods.SoftTargets(), inner=methods.MiniLM(),
            text=methods.SentenceEmbedding(),
        )[kind],
        data=recipe.DataSpec(
            source={text!r} if kind == "text" else "task:sst2",
            folder="" if kind == "text" else {task!r}, sentences=kind == "text",
            sequence_length=16, held_out_fraction=0.2,
        ),
        train=recipe.TrainSpec(
            steps=4, batch_size=8, learning_rate=1e-2, warmup_steps=2,
            precision="float32", log_every=1, evaluate_every=2,
            held_out_sequences=16,
        ),
    ).config()
"""


def save_head(folder, teacher, seed):
    """A teacher of SST-2 with random weights."""
    task = get_task("sst2")
    keras.utils.set_random_seed(seed)
    head = heads.build_head(task, teachers.load_backbone(teacher))
    head.save_to_preset(str(folder))
    teachers.load_tokenizer(teacher).save_to_preset(str(folder))
    Settings("sst2", task.kind, task.labels, 16).save(folder)


def write_task(folder, words, counts, seed=0):
    """Sentences of random words; every fourth one comes twice."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for name, count in counts.items():
        texts = [" ".join(random.choice(words, 9)) for _ in range(count)]
        texts[::4] = texts[1::4]
        rows = [f"{text}\t{place % 2}" for place, text in enumerate(texts)]
        (folder / f"{name}.tsv").write_text(
            "\n".join(["sentence\tlabel", *rows]) + "\n"
        )


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teach")
    tokenizer = teachers.load_tokenizer(tiny.teacher)
    words = [w for w in tokenizer.get_vocabulary() if w.isalpha()]
    write_task(folder / "task", words, {"train": 48, "dev": 20})
    for seed in (0, 1):
        save_head(folder / f"head{seed}", tiny.teacher, seed)
    paths = {
        "teacher": tiny.teacher,
        "text": tiny.text,
        "task": folder / "task",
        "head": folder / "head0",
    }
    (folder / "taught.py").write_text(
        RECIPE.format(**{key: str(path) for key, path in paths.items()})
    )
    return folder


@pytest.fixture(scope="module")
def command(place):
    def run(name, kind, *flags):
        return main([name, f"--config={place}/taught.py:{kind}", *flags])

    return run


@pytest.fixture(scope="module")
def outputs(place, command):
    """The logits of every text of the task."""
    assert command("teach", "task", f"--output={place}/outputs") == 0
    return place / "outputs"


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [
        {k: x for k, x in json.loads(line).items() if not is_of_machine(k)}
        for line in lines
    ]


def is_of_machine(key):
    return key.startswith(("tokens_per", "seconds", "peak"))


def require_alike(live, kept):
    expected = losses(live)
    assert len(expected) == 4 + 3
    for row, there in zip(losses(kept), expected, strict=True):
        assert row == pytest.approx(there, abs=1e-5)


@pytest.mark.slow
def test_a_student_learns_as_from_a_running_teacher(command, tmp_path, outputs):
    live, kept = tmp_path / "live", tmp_path / "kept"
    assert command("distill", "task", f"--workdir={live}") == 0
    flags = f"--workdir={kept}", f"{FLAG}={outputs}"
    assert command("distill", "task", *flags) == 0
    require_alike(live, kept)


@pytest.mark.slow
def test_several_teachers_are_kept_as_one(place, command, tmp_path, capfd):
    live, kept, folder = (tmp_path / name for name in ("live", "kept", "both"))
    both = [
        f"--config.more_teachers={place}/head1",
        "--config.teacher_weights=3,1",
    ]
    assert command("distill", "task", f"--workdir={live}", *both) == 0
    assert command("teach", "task", f"--output={folder}", *both) == 0
    flags = f"--workdir={kept}", f"{FLAG}={folder}"
    assert command("distill", "task", *flags, *both) == 0
    require_alike(live, kept)
    alone = f"--workdir={tmp_path}/alone", f"{FLAG}={folder}"
    assert command("distill", "task", *alone) == 1
    assert "outputs of another teacher" in capfd.readouterr().err
    wrong = both[0], "--config.teacher_weights=3,1,1"
    assert command("distill", "task", f"--workdir={tmp_path}/x", *wrong) == 1
    assert "2 teachers have the weights 3, 1, 1" in capfd.readouterr().err


@pytest.mark.slow
def test_a_student_learns_embeddings_alike(command, tmp_path):
    live, kept, own = (tmp_path / name for name in ("live", "kept", "own"))
    outputs = tmp_path / "outputs"
    assert command("teach", "text", f"--output={outputs}") == 0
    assert command("distill", "text", f"--workdir={live}") == 0
    flags = f"--workdir={kept}", f"{FLAG}={outputs}"
    assert command("distill", "text", *flags) == 0
    # The run teaches by itself, in its own folder.
    assert command("distill", "text", f"--workdir={own}", f"{FLAG}=auto") == 0
    require_alike(live, kept)
    require_alike(live, own)


@pytest.mark.slow
def test_a_table_of_outputs_is_a_teacher(place, command, tmp_path, tiny):
    folder, random = tmp_path / "run", np.random.default_rng(0)
    texts, values = {}, {}
    for name in ("train", "dev"):
        lines = (place / "task" / f"{name}.tsv").read_text().splitlines()[1:]
        texts[name] = [line.split("\t")[0] for line in lines]
        values |= {text: random.normal(size=2) for text in texts[name]}
    with open(tmp_path / "outputs.jsonl", "w") as file:
        for text, row in values.items():
            row = {"sentence": f" {text}  ", "scores": row.tolist()}
            file.write(json.dumps(row | {"more": [1, {}]}) + "\n")
    flags = [
        # What it starts from has no head, and the classes another order.
        f"teacher={tiny.teacher}",
        "teacher_labels=positive,negative",
        "data.teacher_columns=scores",
        "data.soft_labels=logits",
        f"data.teacher_outputs={tmp_path}/outputs.jsonl",
        "train.learning_rate=0.0",
        "train.held_out_sequences=20",
        "method.alpha=1",
    ]
    run = [f"--workdir={folder}", *(f"--config.{flag}" for flag in flags)]
    assert command("distill", "task", *run) == 0
    student = heads.load_head(folder / "student")
    tokenizer = teachers.load_tokenizer(folder / "student")
    encoded = encode_texts([(x,) for x in texts["dev"]], tokenizer, 16)
    batch = encoded.padded(np.arange(20), 16)
    ours = log_softmax(np.asarray(student(batch), "float64") / 2, -1)
    theirs = np.array([values[text][::-1] for text in texts["dev"]])
    theirs = log_softmax(theirs / 2, -1)
    loss = 4 * np.mean(np.sum(np.exp(theirs) * (theirs - ours), -1))
    *_, last = losses(folder)
    assert last["soft_targets"] == pytest.approx(loss, rel=1e-4)


def test_each_text_is_kept_once(outputs, place):
    store = Store.open(outputs)
    lines = [
        line.split("\t")[0]
        for name in ("train", "dev")
        for line in (place / "task" / f"{name}.tsv").read_text().split("\n")[1:]
    ]
    texts = sorted({*filter(None, lines)})
    assert store.origin.texts == len(texts) < 68
    assert store.values["logits"].shape == (len(texts), 2)
    assert not (outputs / "unfinished").exists()


def test_it_goes_on_after_the_last_whole_file(
    place, command, tmp_path, monkeypatch, outputs
):
    monkeypatch.setattr(teaching, "_SHARD", 20)
    write, written = teaching.write_shard, []

    def stopping(path, *args):
        if len(written) == 1:
            raise UserError("stopped")
        written.append(path)
        return write(path, *args)

    folder = tmp_path / "outputs"
    monkeypatch.setattr(teaching, "write_shard", stopping)
    assert command("teach", "task", f"--output={folder}") == 1
    with pytest.raises(UserError, match="start it again"):
        Store.open(folder)
    before = written[0].stat().st_mtime_ns
    monkeypatch.setattr(teaching, "write_shard", write)
    assert command("teach", "task", f"--output={folder}") == 0
    assert written[0].stat().st_mtime_ns == before
    one, two = Store.open(folder), Store.open(outputs)
    assert one.places.keys() == two.places.keys()
    for key, place in one.places.items():
        np.testing.assert_allclose(
            one.values["logits"][place],
            two.values["logits"][two.places[key]],
            atol=1e-6,
        )


@pytest.mark.slow
def test_what_does_not_match_is_refused(
    place, command, tmp_path, outputs, tiny, capfd
):
    def fault(name, kind, *flags):
        assert command(name, kind, *flags) == 1
        return capfd.readouterr().err

    kept = [f"--workdir={tmp_path}/run", f"{FLAG}={outputs}"]
    other = f"--config.teacher={place}/head1"
    said = fault("distill", "task", *kept, other)
    assert re.search(r"outputs of another teacher: of \S+head0", said)
    said = fault("teach", "task", f"--output={outputs}", other)
    assert re.search(r"head0 of .*head1 of .* use another --output", said)
    short = "--config.data.sequence_length=8"
    said = fault("distill", "task", *kept, short)
    assert re.search(r"texts of task:sst2, and \d+ .* not among them", said)
    said = fault("teach", "inner", f"--output={tmp_path}/inner")
    assert "MiniLM compares values of the teacher" in said
    broken = place / "broken"
    save_head(broken, tiny.teacher, 0)
    head = heads.load_head(broken)
    head.backbone.token_embedding.embeddings.assign_add(
        [[np.nan] * 16] * head.backbone.vocabulary_size
    )
    head.save_to_preset(str(broken))
    flags = f"--output={tmp_path}/broken", f"--config.teacher={broken}"
    said = fault("teach", "task", *flags)
    assert "the teacher's output 'logits' is not finite" in said


def test_a_damaged_file_is_named(outputs, tmp_path):
    folder = tmp_path / "outputs"
    shutil.copytree(outputs, folder)
    (path,) = folder.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path.name} differs .* damaged"):
        Store.open(folder)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read: No such file"):
        Store.open(folder)
