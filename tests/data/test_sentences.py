# ruff: noqa: RUF001 (full-width stops are meant)
import pytest

from tfminilm.data.sentences import is_prose, split_sentences, words


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "It pours!", "Does it snow?", "Perhaps…", "No."],
        ["Dr. J. R. Smith met Mr. Lee at 3.5 p.m. on Jan. 5."],
        ["He left in Dec.", "She stayed."],
        ["He said no.", "She wants no. 5 of them."],
        ["She lives in the U.S. Senate's shadow.", "He does not."],
        ["He moved to the U.S.", "The weather was better."],
        ["See Fig. 3 and vol. 2, i.e. the last one."],
        ['"Stop!" he cried.', 'She said "No."', "Then (of course.)", "He ran."],
        ["Pi is 3.14159, not 3.", "Five is wrong."],
        ["Then came I.", "You stayed."],
        ["Call os.path.join. it is lower case."],
        ["Smith et al. Showed it.", "The end."],
        ["Ελλάς είναι χώρα.", "Άλλη πρόταση."],
        ["대한민국은 민주공화국이다.", "주권은 국민에게 있다."],
    ],
)
def test_split_at_sentence_ends_and_nowhere_else(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


def test_split_at_full_width_stops_without_spaces():
    text = "他来了。「走吧！」她问：好吗？是的。"
    assert split_sentences(text) == [
        "他来了。",
        "「走吧！」",
        "她问：好吗？",
        "是的。",
    ]


def test_nothing_is_lost_but_white_space():
    text = "  A b.  C d? 'E f!'   G. h\t(I.) J...  k\n"
    assert "".join(" ".join(split_sentences(text)).split()) == "".join(
        text.split()
    )
    assert split_sentences(" \n") == []


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The quick brown fox jumps.", True),
        ('"The quick brown fox!"', True),
        ("주권은 국민에게 있다.", True),
        ("他昨天来了。", True),
        ("the quick brown fox jumps.", False),
        ("The quick brown fox jumps", False),
        ("The following are known:", False),
        ("3 times 4 is 12.", False),
        ("X = [1, 2, 3] + f(a_b, c_d).", False),
    ],
)
def test_prose_opens_ends_and_is_mostly_letters(sentence, expected):
    assert is_prose(sentence) is expected


def test_words_count_each_chinese_character():
    assert words("Well-known words, isn't it?") == [
        "Well-known",
        "words",
        "isn't",
        "it",
    ]
    assert words("他来了。") == ["他", "来", "了"]
