"""A student of another language, of pairs of translations."""

import json

import numpy as np
import pytest

from tfminilm import teachers
from tfminilm.commands import main
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.retrieval import likeness_correlation, retrieval_accuracy

RECIPE = """
from tfminilm import methods
from tfminilm.train import recipe

def get_config(kind):
    return recipe.Recipe(
        name="translations", teacher={teacher!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32,
            max_sequence_length=32, init="bottom", tokenizer={words!r},
        ),
        method=dict(text=methods.SentenceEmbedding(), inner=methods.MiniLM())[
            kind
        ],
        data=recipe.DataSpec(
            source="parallel:" + {pairs!r}, sequence_length=16,
            held_out_fraction=0.3,
        ),
        train=recipe.TrainSpec(
            steps=4, batch_size=8, learning_rate=0.0, warmup_steps=1,
            precision="float32", log_every=1, evaluate_every=2,
            held_out_sequences=100,
        ),
    ).config()
"""
OWN = [*"abcdefghijklmnopqrstuvwxyz.", "haus", "ein"]
OWN += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="module")
def place(tiny, save_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("translations")
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    save_bert(
        folder / "words", [*special, *OWN], {}, num_layers=1, num_heads=2,
        hidden_dim=16, intermediate_dim=16,
    )  # fmt: skip
    tokenizer = teachers.load_tokenizer(tiny.teacher)
    words = [w for w in tokenizer.get_vocabulary() if w.isalpha()]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, 5)) for _ in range(40)]
    (folder / "pairs.tsv").write_text(
        "".join(f"{text}\t{text[::-1]}\n" for text in texts)
    )
    paths = {
        "teacher": tiny.teacher,
        "words": folder / "words",
        "pairs": folder / "pairs.tsv",
    }
    recipe = RECIPE.format(**{key: str(path) for key, path in paths.items()})
    (folder / "recipe.py").write_text(recipe)
    return folder


def embeddings(source, texts):
    """The mean of the last states over real tokens, text by text."""
    model = teachers.load_backbone(source)
    tokenizer = teachers.load_tokenizer(source)
    encoded = encode_texts([(text,) for text in texts], tokenizer, 16)
    rows = []
    for row, length in enumerate(encoded.lengths):
        batch = encoded.padded(np.array([row]), length)
        states = model(batch, training=False)["sequence_output"]
        rows.append(np.asarray(states, "float64")[0].mean(0))
    return np.array(rows)


@pytest.mark.slow
def test_the_student_reads_what_the_teacher_does_not(
    place, tiny, rows, tmp_path, capfd
):
    run = tmp_path / "run"
    flags = [f"--config={place}/recipe.py:text", f"--workdir={run}"]
    assert main(["distill", *flags]) == 0
    lines = (place / "pairs.tsv").read_text().splitlines()
    pairs = dict(line.split("\t") for line in lines)
    held_out = teachers_texts(run, pairs)
    assert 3 < len(held_out) < 20
    others = [pairs[text] for text in held_out]
    expected = embeddings(tiny.teacher, held_out)
    own, other = (embeddings(run, x) for x in (held_out, others))
    *_, last = [row for row in rows(run) if row["split"] == "held_out"]
    loss = np.mean((np.stack([own, other]) - expected) ** 2)
    assert last["embedding_mse"] == pytest.approx(loss, rel=1e-4)
    assert last["translation_accuracy"] == pytest.approx(
        retrieval_accuracy(own, other)
    )
    assert last["likeness"] == pytest.approx(
        likeness_correlation(expected, other), abs=1e-3
    )
    kept = f"--workdir={tmp_path}/kept", "--config.data.teacher_outputs=auto"
    assert main(["distill", flags[0], *kept]) == 0
    *_, same = [x for x in rows(tmp_path / "kept") if x["split"] == "held_out"]
    assert same["loss"] == pytest.approx(last["loss"], abs=1e-5)
    wrong = f"--config={place}/recipe.py:inner", f"--workdir={tmp_path}/x"
    assert main(["distill", *wrong, "--config.student.tokenizer="]) == 1
    said = capfd.readouterr().err
    assert "MiniLM compares token by token, and a translation" in said


def teachers_texts(run, pairs):
    """The held-out texts, as the run tells them, in the language of both."""
    sentences = json.loads((run / "held_out.json").read_text())["sentences"]
    return [text for text in pairs if text in sentences]
