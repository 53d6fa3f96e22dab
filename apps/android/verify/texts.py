"""Lines to compare tokenizers on: real ones, and ones made to be hard."""

import itertools
import json
import pathlib
import random
from collections.abc import Iterator, Sequence

_RANGES = {
    "combining": [(0x300, 0x36F), (0x61, 0x7A), (0xC0, 0x17F)],
    "emoji": [(0x1F300, 0x1FAFF), (0x200D, 0x200D), (0xFE0F, 0xFE0F)],
    "surrogates": [(0xD800, 0xDFFF), (0x61, 0x7A)],
    "control": [(0, 0x20), (0x7F, 0xA0), (0x2000, 0x206F), (0x61, 0x7A)],
    "mixed direction": [(0x5D0, 0x5EA), (0x621, 0x652), (0x202A, 0x202E)],
    "Indic": [(0x900, 0xDFF), (0xE00, 0xEFF)],
    "Korean": [(0x1100, 0x11FF), (0xAC00, 0xAC80), (0xA960, 0xA97F)],
    "Chinese": [(0x4DF0, 0x4E10), (0xF900, 0xFAFF), (0x20000, 0x20010)],
    "compatibility": [(0x2070, 0x218B), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF)],
    "letters": [(0x41, 0x5A), (0xC0, 0x24F), (0x370, 0x52F), (0x1E00, 0x1FFF)],
    "punctuation": [(0x20, 0x7E), (0x2010, 0x2060), (0x3000, 0x303F)],
    "anything": [(0, 0x10FFFF)],
}
_PARAGRAPHS = 12_000  # Of each language.
_SPECIAL = (
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "##ing",
    "\u2019",
    "\u00a0",
    "\ufeff",
    "İ",
)


def adversarial(count: int, seed: int = 0) -> Iterator[str]:
    """Yield lines of characters that tokenizers disagree about.

    Some have unpaired surrogates, which no UTF-8 file can hold.
    """
    source = random.Random(seed)
    kinds = itertools.cycle(_RANGES.values())
    for ranges in itertools.islice(kinds, count):
        words = []
        for _ in range(source.randint(1, 12)):
            if source.random() < 0.1:
                words.append(source.choice(_SPECIAL))
            size = source.choice((1, 2, 5, 9, 20, 60, 130))
            words.append(_word(source, ranges, source.randint(1, size)))
        yield source.choice((" ", "", "\t")).join(words)


def _word(source: random.Random, ranges: list[tuple], size: int) -> str:
    return "".join(
        chr(source.randint(*source.choice(ranges))) for _ in range(size)
    )


def embedded(count: int) -> Iterator[str]:
    """Return English sentences that every installation has."""
    from tfminilm.data import documents

    sentences = itertools.chain.from_iterable(documents("docs"))
    return itertools.islice(sentences, count)


def shared(folder: pathlib.Path) -> Iterator[str]:
    """Yield XNLI's sentences, and the first paragraphs of each Wikipedia."""
    for path in sorted((folder / "xnli").glob("*.tsv")):
        for line in path.read_text("utf-8").splitlines():
            yield from line.split("\t")[:2]
    for language in sorted((folder / "corpus").glob("wikipedia_*")):
        yield from itertools.islice(paragraphs(language), _PARAGRAPHS)


def reviews(folder: pathlib.Path) -> Iterator[str]:
    """Return SST-2's sentences."""
    lines = (folder / "glue" / "SST-2" / "train.tsv").read_text("utf-8")
    return (line.split("\t")[0] for line in lines.splitlines()[1:])


def questions(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yield a question about every fourth paragraph of SQuAD, and the
    paragraph.
    """
    path = folder / "squad" / "v1.1" / "dev-v1.1.json"
    articles = json.loads(path.read_text("utf-8"))["data"]
    paragraphs = (
        each for article in articles for each in article["paragraphs"]
    )
    for paragraph in itertools.islice(paragraphs, 0, None, 4):
        yield paragraph["qas"][0]["question"], paragraph["context"]


def made_up_questions(
    sentences: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Yield questions about texts of one to forty of the sentences."""
    for index in itertools.count():
        start = index % (len(sentences) - 40)
        text = " ".join(sentences[start : start + 1 + index % 40])
        yield f"What is said of {sentences[start][:40]}?", text


def paragraphs(folder: pathlib.Path) -> Iterator[str]:
    """Yield the lines of a Wikipedia's files that are not blank."""
    for path in sorted(folder.glob("part-*.txt")):
        with path.open(encoding="utf-8") as lines:
            yield from (line.strip() for line in lines if line.strip())
