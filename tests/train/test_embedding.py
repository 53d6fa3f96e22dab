"""A student embeds texts as its teacher's folder says."""

import pathlib

from tfminilm.teachers import load_backbone
from tfminilm.teachers.embedding import known_embedding

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
FOLDER = GOLDEN / "sentence_transformers/cls"


def test_a_student_embeds_as_its_teacher(tmp_path, distill, finished):
    flags = [f"--config.teacher={FOLDER}", "--config.train.steps=1"]
    flags += ["--config.train.warmup_steps=0", "--config.student.num_heads=4"]
    flags += ["--config.student.max_sequence_length=16"]
    text = "the cat sat on a mat . a cat and the mat , the cats ! "
    (tmp_path / "text").mkdir()
    documents = (f"{text * (1 + i % 3)}{i * 'a'}" for i in range(200))
    content = "\n\n".join(documents)
    (tmp_path / "text/cats.txt").write_text(content)
    flags += [f"--config.data.source={tmp_path}/text"]
    assert distill(tmp_path / "run", *flags) == 0
    wanted = known_embedding(load_backbone(FOLDER))
    assert wanted.pooling == "cls"
    assert known_embedding(load_backbone(tmp_path / "run")) == wanted
    assert known_embedding(load_backbone(finished)) is None
    assert not (finished / "student/embedding.json").exists()
