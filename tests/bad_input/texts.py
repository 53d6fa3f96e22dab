"""Bad texts and word vectors."""

import pathlib
from collections.abc import Iterator

from bad_input_damages import LONG, ODD, TEXT, Spoiled, content

_SOURCES = (
    ("nowhere", "{}/gone", "gone"),
    ("a-file", "{}/a.txt", "a.txt"),
    ("empty-name", "", "--input"),
    ("commas", "docs,,docs", "text source ''"),
    ("gone-too", "docs,{}/gone", "gone"),
    ("shards", "shards:{}/gone", "shards:"),
    ("no-files", "{}", ".txt"),
    ("device", "/dev/null", "/dev/null"),
    ("tfds-no-name", "tfds:", "tfds:"),
    ("tfds-colons", "tfds:a:b:c:d", "tfds:a:b:c:d"),
    ("tfds-blank", "tfds: ", "tfds: "),
    ("tfds-path", "tfds:../../etc/passwd", "etc/passwd"),
    ("tfds-capital", "tfds:IMDB-Reviews!", "IMDB-Reviews!"),
    ("long", "x" * 5_000, "xxx"),
    ("long-part", "docs," + "x" * 300, "xxx"),
    ("null", "a\0b", "a"),
)


def texts() -> Iterator[Spoiled]:
    """Text folders, `--texts` and word vectors that are spoiled."""

    def corpus(folder: pathlib.Path) -> object:
        from tfminilm.data import documents

        return list(documents(folder / "text"))

    def glove(folder: pathlib.Path) -> object:
        from tfminilm.data.augment import word_vectors

        return word_vectors.read_glove(folder / "vectors.txt")

    def lines(folder: pathlib.Path) -> object:
        from tfminilm.commands import search_flags

        return search_flags._lines(folder / "own.txt")

    long = {"long-line": content(b"so " * (LONG // 3 + 1) + b"\n")}
    for kind, call, file in (
        ("corpus", corpus, "text/a.txt"),
        ("vectors", glove, "vectors.txt"),
        ("texts", lines, "own.txt"),
    ):
        for name, spoil in (TEXT | ODD | long).items():
            if kind == "corpus" and name in ("empty", "blank", "mark-alone"):
                continue  # Of no text; what a run says of it is its own.

            def prepare(folder: pathlib.Path, file=file, spoil=spoil) -> None:
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_text("the 1 2\n")
                spoil(folder / file)

            whole = kind != "corpus" or name not in ODD
            word = pathlib.Path(file).name if whole else "text"
            yield Spoiled(
                "texts", f"{kind}-{name}", (word,), prepare=prepare, call=call
            )
    for name, source, word in _SOURCES:
        yield Spoiled(
            "sources of text", name, (word,),
            (
                "prepare", f"--input={source}", "--output={}/out",
                "--tokenizer=tiny:bert",
            ),
            lambda folder: (folder / "a.pdf").write_text("so"),  # type: ignore
        )  # fmt: skip


CASES = (*texts(),)
