"""Cases worked by hand from the rules of the official scripts."""

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import QAExample, get_task
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.normalise import mlqa_answer, squad_answer
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.squad_metrics import exact, f1, score
from tfminilm.tasks.windows import Answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", ""),
        ("  \t\n ", ""),
        ("The Cat", "cat"),
        ("a cat, an owl and the dog", "cat owl and dog"),
        ("The", ""),
        ("the a an", ""),
        ("Theatre another", "theatre another"),
        ("A.", ""),
        ("C.A.T.", "cat"),
        ("U.S.A", "usa"),
        # Punctuation goes before the articles, and leaves no space.
        ("the-end", "theend"),
        ("end of the-day", "end of theday"),
        ("a/c", "ac"),
        ("24–10", "24–10"),  # The script knows no en dash.  # noqa: RUF001
        ("24-10", "2410"),
        ("$3.5 million!", "35 million"),
        ("«Non»", "«non»"),
        ("“Yes”", "“yes”"),
        ("ÉTÉ", "été"),
        ("Straße", "straße"),
        ("İ", "i̇"),  # Lower case of one letter in two.
        ("Σ", "σ"),  # noqa: RUF001
        ("the\u00a0cat", "cat"),  # A space that does not break.
        ("cat\u3000dog", "cat dog"),
        ("cat\u200bdog", "cat\u200bdog"),  # No space to Python.
        ("北京", "北京"),
        ("😀The😀", "😀 😀"),  # An article leaves a space.
        # \b sees a letter of any script.
        ("éa the", "éa"),
        ("a_b", "ab"),
        ("'a'", ""),
        ("The the The THE", ""),
        (".", ""),
    ],
)
def test_normalisation_of_squad(answer, expected):
    assert squad_answer(answer) == expected


@pytest.mark.parametrize(
    ("language", "answer", "expected"),
    [
        ("en", "The “cat” – 5", "cat 5"),  # noqa: RUF001
        ("en", "el the der", "el der"),
        ("de", "Der Fluß, die Elbe", "fluß elbe"),
        ("de", "Einem derer", "derer"),
        ("de", "ein eine einen eines einer der das den dem des", ""),
        ("es", "¿El niño y unas rosas?", "niño y rosas"),
        ("es", "the la las los un unas unos una", "the"),
        ("hi", "द ताज महल।", "द ताज महल"),
        ("vi", "Của những người là cái chiếc", "người"),
        ("ar", "البيت", "بيت"),
        ("ar", "في البيت، الكبير", "في بيت كبير"),
        ("zh", "北京、上海", "北 京 上 海"),
        ("zh", "在1995年 NBA", "在 1995 年 nba"),
        ("zh", "the 。", "the"),
        ("zh", "", ""),
    ],
)
def test_normalisation_of_mlqa(language, answer, expected):
    assert mlqa_answer(answer, language) == expected


@pytest.mark.parametrize(
    ("prediction", "gold", "exactly", "expected"),
    [
        ("Denver Broncos", "the Denver Broncos!", 1, 1),
        # Shared 1, precision 1/1, recall 1/2.
        ("Broncos", "Denver Broncos", 0, 2 / 3),
        # Shared 1, precision 1/3, recall 1/2.
        ("the red big cat", "cat dog", 0, 2 / 5),
        # A bag counts how often: shared 2 of 3 and of 2.
        ("ho ho ho", "ho ho", 0, 4 / 5),
        ("ho", "ho ho ho", 0, 1 / 2),
        ("b a c", "c b", 0, 1),  # Order does not count, nor does "a".
        ("cat", "dog", 0, 0),
        ("", "dog", 0, 0),
        ("dog", "", 0, 0),
        ("", "", 1, 0),
        ("the", "", 1, 0),
        ("!?", "the", 1, 0),
        ("été", "ete", 0, 0),
        ("Café", "café", 1, 1),
        ("Cafe\u0301", "café", 0, 0),  # Composed otherwise, and so another.
        ("1,000", "1000", 1, 1),
        ("10 000", "10000", 0, 0),
    ],
)
def test_exact_and_f1(prediction, gold, exactly, expected):
    assert exact(prediction, gold) == exactly
    assert f1(prediction, gold) == pytest.approx(expected, abs=1e-15)


def test_chinese_words_are_single_characters():
    assert f1("北京市", "北京", "zh") == pytest.approx(2 * 2 / 5)
    assert f1("北京市", "北京") == 0
    assert exact("北京。", "北京", "zh") == 1
    assert exact("北京。", "北京") == 0


def make(name, *answers):
    starts = (0,) * len(answers)
    return QAExample(name, "?", "...", answers, starts, not answers)


def test_the_best_of_several_answers_counts():
    examples = [
        make("1", "Denver", "Denver Broncos", "the Broncos"),
        make("2", "1995", "in 1995"),
        make("3", "Rhine"),
        make("4", "cat dog", "cat owl bird"),
    ]
    predictions = {
        "1": "The Broncos",  # Exact with the third.
        "2": "of 1995",  # F1 2/3 with the first, 1/2 with the second.
        "3": "",
        "4": "cat owl",  # F1 1/2 and 4/5.
        "unknown": "x",
    }
    found = score(examples, predictions)
    expected = {
        "exact": 25.0,
        "f1": pytest.approx(100 * (1 + 2 / 3 + 0 + 4 / 5) / 4),
        "total": 4,
    }
    assert found == expected


def test_version_2_counts_questions_with_and_without_answer():
    examples = [make("1", "a cat"), make("2", "dog"), make("3"), make("4")]
    predictions = {"1": "cat owl", "2": "", "3": "", "4": "the end"}
    assert score(examples, predictions) == {
        "exact": 25.0,
        "f1": pytest.approx(100 * (2 / 3 + 1) / 4),
        "total": 4,
        "HasAns_exact": 0.0,
        "HasAns_f1": pytest.approx(100 * 2 / 3 / 2),
        "HasAns_total": 2,
        "NoAns_exact": 50.0,
        "NoAns_f1": 50.0,
        "NoAns_total": 2,
    }


def test_only_impossible_questions():
    found = score([make("1"), make("2")], {"1": "", "2": "a"})
    # "a" is an article, and nothing without it.
    assert found == {
        "exact": 100.0,
        "f1": 100.0,
        "total": 2,
        "NoAns_exact": 100.0,
        "NoAns_f1": 100.0,
        "NoAns_total": 2,
    }


def test_golds_of_which_nothing_is_left():
    # SQuAD 1.1 counts the gold "."; its dev set has three such.
    only = [make("1", "cat", ".")]
    assert score(only, {"1": "!"}) == {"exact": 100.0, "f1": 0.0, "total": 1}
    # SQuAD 2.0 does not, unless there is no other.
    both = [*only, make("2"), make("3", "the")]
    found = score(both, {"1": "!", "2": "", "3": ""})
    assert (found["HasAns_exact"], found["HasAns_f1"]) == (50.0, 50.0)
    found = score(only, {"1": "!"}, {"1": 0.0})
    assert found["exact"] == 0.0


def test_the_best_threshold():
    # By probability: y1 right (.1), n1 answered (.2), y2 half right (.3),
    # n2 not answered (.4), y3 right (.5), y4 wrong (.6).
    # Exact starts at 2 impossible: 3, 2, 2, 2, 3, 3, so best is 3 at .1.
    # F1: 3, 2, 2 2/3, 2 2/3, 3 2/3, 3 2/3, so best is 3 2/3 at .5.
    examples = [
        make("y4", "rat"),
        make("y3", "owl"),
        make("n2"),
        make("y2", "big dog"),
        make("n1"),
        make("y1", "cat"),
    ]
    predictions = {
        "y1": "cat",
        "y2": "dog",
        "y3": "the owl",
        "y4": "bat",
        "n1": "bee",
        "n2": "",
    }
    probs = {"y1": 0.1, "n1": 0.2, "y2": 0.3, "n2": 0.4, "y3": 0.5, "y4": 0.6}
    found = score(examples, predictions, probs)
    assert found["exact"] == pytest.approx(100 * 3 / 6)
    assert found["f1"] == pytest.approx(100 * (3 + 2 / 3) / 6)
    assert found["best_exact"] == pytest.approx(100 * 3 / 6)
    assert found["best_exact_thresh"] == 0.1
    assert found["best_f1"] == pytest.approx(100 * (3 + 2 / 3) / 6)
    assert found["best_f1_thresh"] == 0.5
    # Any scale will do: differences of logits are below 0 too.
    shifted = {name: 100 * (p - 0.7) for name, p in probs.items()}
    found = score(examples, predictions, shifted)
    assert found["best_f1_thresh"] == pytest.approx(-20)


def test_no_answer_may_be_best_everywhere():
    found = score(
        [make("1"), make("2", "x")], {"1": "y", "2": "z"}, {"1": 0.2, "2": 0.1}
    )
    assert (found["best_exact"], found["best_exact_thresh"]) == (50.0, 0.0)
    assert (found["exact"], found["NoAns_f1"]) == (0.0, 0.0)


def test_bad_input():
    examples = [make("1", "x"), make("2", "y"), make("3", "z")]
    whole = {"1": "", "2": "", "3": ""}
    with pytest.raises(UserError, match="no questions"):
        score([], {})
    with pytest.raises(
        UserError, match=r"2 of 3 questions have no prediction.*'2'"
    ):
        score(examples, {"1": "x"})
    with pytest.raises(UserError, match=r"1 of 3 .*probability of no answer"):
        score(examples, whole, {"1": 0, "2": 0})
    probs = {"1": 0.0, "2": float("nan"), "3": 0.0}
    with pytest.raises(UserError, match=r"question '2': .* is NaN"):
        score(examples, whole, probs)


@pytest.mark.parametrize(
    ("task", "language", "expected"),
    [
        ("mlqa", "de", 100.0),
        ("mlqa", "de-en", 100.0),
        ("mlqa", "en-de", 0.0),
        ("mlqa", None, 0.0),
        ("squad", None, 0.0),
    ],
)
def test_answers_are_in_the_language_of_the_context(task, language, expected):
    example = QAExample("0", "Wo?", "An der Elbe.", ("der Elbe",), (3,), False)
    task = get_task(task)
    settings = Settings.of(task, 32)
    answers = [Answer(("Elbe",), (1.0,), 0.0)]
    result = kind_of(task).score(task, [example], answers, settings, language)
    assert result.metrics["exact"] == expected


def test_mlqa_without_a_language_is_english():
    example = QAExample("0", "?", "The “cat”.", ("The “cat”",), (0,), False)
    answers = [Answer(("cat",), (1.0,), 0.0)]
    for name, expected in (("mlqa", 100.0), ("squad", 0.0)):
        task = get_task(name)
        settings = Settings.of(task, 32)
        result = kind_of(task).score(task, [example], answers, settings)
        assert result.metrics["exact"] == expected
