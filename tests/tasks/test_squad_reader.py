import json
import logging

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import QAExample, get_task, read

CONTEXT = "Der Fluß 😀 Rhine rose in 1995. It fell in 1996."


def test_squad_1_1(originals):
    (example,) = read(get_task("squad"), "validation", originals)
    assert example == QAExample(
        id="d1",
        question="Q d1?",
        context=CONTEXT,
        answers=("Rhine", "Fluß 😀 Rhine"),
        answer_starts=(11, 4),
        is_impossible=False,
    )
    (example,) = read(get_task("squad"), "train", originals)
    assert (example.id, example.answer_starts) == ("t1", (25,))


def test_squad_2_0_has_impossible_questions(originals):
    yes, no = read(get_task("squad_v2"), "train", originals)
    assert (yes.answers, yes.is_impossible) == (("1996",), False)
    assert (no.answers, no.answer_starts, no.is_impossible) == ((), (), True)
    assert read(get_task("squad_v2"), "validation", originals) == [no]


@pytest.mark.parametrize("language", [None, "en", "de", "de-en", "de-de"])
def test_mlqa_in_its_pairs_of_languages(originals, language):
    pair = {None: "en-en", "en": "en-en", "de": "de-de"}.get(language, language)
    for split, file in (("validation", "dev"), ("test", "test")):
        found = read(get_task("mlqa"), split, originals, language=language)
        assert [example.id for example in found] == [f"{file} {pair}"]


def test_a_part_of_a_split_will_do_if_it_is_the_only_one(
    tmp_path, make_squad, make_question
):
    task = get_task("squad")
    folder = tmp_path / "v1.1"
    folder.mkdir()
    part = folder / "train_partial-v1.1.json"
    part.write_text(make_squad(make_question("a", "Rhine")))
    assert [e.id for e in read(task, "train", tmp_path)] == ["a"]
    (folder / "train_2-v1.1.json").write_text(part.read_text())
    with pytest.raises(UserError, match="several files for squad's train"):
        read(task, "train", tmp_path)
    whole = make_squad(make_question("b", "Rhine"))
    (folder / "train-v1.1.json").write_text(whole)
    assert [e.id for e in read(task, "train", tmp_path)] == ["b"]


@pytest.fixture
def bad_answers(tmp_path, make_squad, make_question):
    """Four bad answers; question "lost" has no other."""
    path = tmp_path / "train-v1.1.json"
    from_the_end = CONTEXT.index("fell") - len(CONTEXT)
    path.write_text(
        make_squad(
            make_question("good", "1995"),
            make_question("half", ("1995", 24), "1995", ("fell", from_the_end)),
            make_question("lost", ("Main", 11), ("1996", 999)),
        )
    )
    return tmp_path


def test_answers_that_do_not_stand_at_their_offset(bad_answers):
    with pytest.raises(
        UserError, match=r"4 answers do not stand .* question 'half'; mend"
    ):
        read(get_task("squad"), "train", bad_answers)


def test_bad_answers_are_left_out_and_counted(bad_answers, caplog):
    with caplog.at_level(logging.WARNING):
        good, half = read(
            get_task("squad"), "train", bad_answers, skip_bad_answers=True
        )
    assert "4 answers" in caplog.text
    assert "1 questions" in caplog.text
    assert (good.id, half.id) == ("good", "half")
    assert (half.answers, half.answer_starts) == (("1995",), (25,))


def test_nothing_left(tmp_path, make_squad, make_question):
    path = tmp_path / "train-v1.1.json"
    # "" stands everywhere, and is no answer.
    path.write_text(make_squad(make_question("a", ("", 3))))
    with pytest.raises(UserError, match="'a'; no question is left"):
        read(get_task("squad"), "train", tmp_path, skip_bad_answers=True)


def _with(name, value):
    """A good file's content with one field of its question replaced."""
    answer = {"text": "Rhine", "answer_start": 11}
    question = {"id": "q7", "question": "?", "answers": [answer]}
    paragraph = {"context": CONTEXT, "qas": [question]}
    content = {"data": [{"paragraphs": [paragraph]}]}
    for holder in (answer, question, paragraph, content):
        if name in holder or (name == "is_impossible" and "qas" not in holder):
            holder[name] = value
            if value is None:
                del holder[name]
            if "question" in holder or name in ("context", "qas", "data"):
                break
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (
            '{"data": [{"para',
            "no JSON: Unterminated.*copy the file again",
        ),
        ("[1]", "no 'data'; is it a file of SQuAD's form"),
        ('{"data": []}', "has no questions"),
        (_with("data", {}), "'data' is a dict, expected list"),
        (_with("context", None), "article 0, paragraph 0: no 'context'"),
        (_with("qas", None), "article 0, paragraph 0: no 'qas'"),
        (_with("id", None), "article 0, paragraph 0: no 'id'"),
        (_with("id", 7), "'id' is a int, expected str"),
        (_with("question", None), "question 'q7': no 'question'"),
        (_with("answers", None), "question 'q7': no 'answers'"),
        (_with("text", 3), "question 'q7': 'text' is a int"),
        (_with("answer_start", None), "question 'q7': no 'answer_start'"),
        (_with("answer_start", True), "'answer_start' is a bool"),
        (_with("answer_start", "11"), "'answer_start' is a str"),
        (_with("answers", []), "'q7' has no answer and is not impossible"),
    ],
)
def test_bad_files_name_the_question(tmp_path, content, message):
    path = tmp_path / "train-v1.1.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as raised:
        read(get_task("squad"), "train", tmp_path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_impossible_questions_must_be_the_tasks(
    tmp_path, make_squad, make_question
):
    def write(*questions):
        for version in ("1.1", "2.0"):
            path = tmp_path / f"train-v{version}.json"
            path.write_text(make_squad(*questions))

    write(make_question("n", is_impossible=True))
    with pytest.raises(UserError, match="'n' is impossible, and squad has no"):
        read(get_task("squad"), "train", tmp_path)
    write(make_question("n", "Rhine", is_impossible=True))
    with pytest.raises(UserError, match="'n' is impossible and has answers"):
        read(get_task("squad_v2"), "train", tmp_path)
    write(make_question("n", is_impossible="yes"))
    with pytest.raises(UserError, match="'is_impossible' is a str"):
        read(get_task("squad_v2"), "train", tmp_path)
    write(make_question("n", "Rhine"), make_question("n", "1995"))
    with pytest.raises(UserError, match="two questions have the id 'n'"):
        read(get_task("squad"), "train", tmp_path)
