"""Bad tables and questions."""

import json
import pathlib
from collections.abc import Iterator

from bad_input_damages import JSON, LONG, ODD, TEXT, Spoil, Spoiled, content

_CSV = "text,other,label\n" + "".join(
    f"some words {n},more,{'ab'[n % 2]}\n" for n in range(40)
)
_MODEL = ("finetune", "--model=tiny:bert", "--workdir={}/run")
_COLUMNS = ("--text_columns=text", "--label_column=label")


def _rows(*labels: str) -> bytes:
    lines = [f"words {n},x,{label}\n" for n, label in enumerate(labels)]
    return ("text,other,label\n" + "".join(lines)).encode()


# Of a table: its content, and what the refusal names.
_TABLES: dict[str, tuple[bytes, str]] = {
    "no-text-column": (b"words,label\na,b\nc,d\n", "text"),
    "no-label-column": (b"text,class\na,b\nc,d\n", "label"),
    "other-case": (b"Text,Label\na,b\nc,d\n", "text"),
    "semicolons": (b"text;label\na;b\nc;d\n", "text"),
    "text-column-twice": (b"text,text,label\na,b,c\n", "two columns"),
    "label-column-twice": (b"text,label,label\na,b,c\n", "two columns"),
    "header-alone": (b"text,label\n", "no rows"),
    "rows-of-blanks": (b"text,label\n,\n , \n", "no rows"),
    "short-row": (b"text,label\na,b\nc\n", "line 3"),
    "long-row": (b"text,label\na,b\nc,d,e\n", "line 3"),
    "open-quote": (b'text,label\n"a,b\nc,d\n', "line 2"),
    "quote-in-quotes": (b'text,label\n"a"b,c\n', "line 2"),
    "no-label": (b"text,label\na,b\nc,\n", "line 3"),
    "blank-label": (b"text,label\na,b\nc,  \n", "line 3"),
    "one-class": (_rows(*"aaaaaaaa"), "two or more"),
    "ids-as-labels": (_rows(*map(str, range(60))), "60 different labels"),
    "texts-as-labels": (
        _rows(*(f"a long text of row {n}" for n in range(60))),
        "60 different labels",
    ),
    "very-long-label": (_rows("a" * 300, "b"), "300"),
    "many-classes": (
        _rows(*(f"c{n % 2_700}" for n in range(5_400))),
        "2,700 different labels",
    ),
    "decimals": (_rows("0.5", "1.25", "0.5"), "--kind=regression"),
    "one-decimal": (_rows("0", "1", "2.5"), "--kind=regression"),
    "exponents": (_rows("1e-3", "2e-3"), "--kind=regression"),
    "long-text": (
        b"text,label\n" + b"a" * LONG + b",b\nc,d\n",
        "too long",
    ),
    "long-header": (b"a" * LONG + b",b\n1,2\n", "too long"),
}
_SCORES: dict[str, bytes] = {
    "words": _rows("good", "bad"),
    "nan": _rows("1", "nan"),
    "infinite": _rows("1", "inf"),
    "too-large": _rows("1", "1e999"),
    "many-digits": _rows("1", "9" * 5_000),
    "none": _rows("1", ""),
    "comma": b'text,label\na,"1,5"\n',
    "percent": _rows("10%", "20%"),
    "hexadecimal": _rows("0x10", "0x20"),
    "two-dashes": _rows("--2", "1"),
    "dash": _rows("-", "1"),
}


_FLAGS = (
    ("no-columns", (), "--text_columns"),
    ("no-label-flag", _COLUMNS[:1], "--label_column"),
    ("no-text-flag", _COLUMNS[1:], "--text_columns"),
    ("three-texts", ("--text_columns=a,b,c", _COLUMNS[1]), "one or two"),
    ("no-such-text", ("--text_columns=gone", _COLUMNS[1]), "gone"),
    ("no-such-label", (_COLUMNS[0], "--label_column=gone"), "gone"),
    ("blank-text", ("--text_columns=,", _COLUMNS[1]), "text"),
    ("same-columns", ("--text_columns=label", _COLUMNS[1]), "label"),
    ("same-texts", ("--text_columns=text,text", _COLUMNS[1]), "text"),
)


def tables() -> Iterator[Spoiled]:
    """`finetune` on a user's own table that is spoiled."""

    def case(name: str, file: str, spoil: Spoil, *words: str, **more):
        flags = more.pop("flags", _COLUMNS)

        def prepare(folder: pathlib.Path) -> None:
            path = folder / file
            tabs = file.endswith(".tsv")
            path.write_text(_CSV.replace(",", "\t") if tabs else _CSV)
            spoil(path)

        return Spoiled(
            "own tables", f"{name}{file[-4:]}", words,
            (*_MODEL, f"--task=csv:{{}}/{file}", *flags), prepare, **more,
        )  # fmt: skip

    for name, spoil in (TEXT | ODD).items():
        for file in ("own.csv", "own.tsv"):
            if (name, file) != ("half-surrogate", "own.tsv"):
                yield case(name, file, spoil, file)
    for name, (text, word) in _TABLES.items():
        for file in ("own.csv", "own.tsv"):
            tabs = file.endswith(".tsv")
            if tabs and name in ("semicolons", "quote-in-quotes", "open-quote"):
                continue
            own = text.replace(b",", b"\t") if tabs else text
            yield case(name, file, content(own), file, word)
    for name, text in _SCORES.items():
        yield case(
            f"score-{name}", "own.csv", content(text), "own.csv", "line",
            flags=(*_COLUMNS, "--kind=regression"), is_slow=True,
        )  # fmt: skip
        yield Spoiled(
            "own tables", f"read-score-{name}", ("own.csv", "line"),
            prepare=lambda folder, text=text: (
                folder / "own.csv"
            ).write_bytes(text),
            call=_read_own,
        )  # fmt: skip
    for name, flags, word in _FLAGS:
        spoil = content(_CSV.encode())
        yield case(name, "own.csv", spoil, word, flags=flags)


def _read_own(folder: pathlib.Path) -> object:
    from tfminilm.tasks import csv_task, read

    task = csv_task(folder / "own.csv", ["text"], "label", "regression")
    return read(task, "all")


_GLUE = {
    "cola": ("train.tsv", "g\t1\t\tSo it is.\n", 1),
    "sst2": ("train.tsv", "sentence\tlabel\nso it is\t1\n", 1),
    "mrpc": (
        "dev.tsv",
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\ta b\tb a\n",
        0,
    ),
    "stsb": ("dev.tsv", "sentence1\tsentence2\tscore\na b\tb a\t2.5\n", 2),
    "qnli": (
        "dev.tsv",
        "index\tquestion\tsentence\tlabel\n0\ta\tb\tentailment\n",
        3,
    ),
    "rte": (
        "dev.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n",
        3,
    ),
    "wnli": ("dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", 3),
    "mnli": (
        "dev_matched.tsv",
        "sentence1\tsentence2\tgold_label\na\tb\tneutral\n",
        2,
    ),
    "xnli": ("dev-en.tsv", "a b\tb a\tneutral\n", 2),
}
_SPLITS = {"train": "train", "dev": "validation"}


def benchmarks() -> Iterator[Spoiled]:
    """Files of GLUE and XNLI of which one is spoiled."""
    for task, (file, good, label) in _GLUE.items():
        *header, row = good.splitlines()
        fields = row.split("\t")

        def with_row(*fields: str, header=header) -> Spoil:
            lines = [*header, "\t".join(fields)]
            return content(("\n".join(lines) + "\n").encode())

        wrong = [*fields]
        wrong[label] = "perhaps"
        spoils = (
            TEXT
            | ODD
            | {
                "short-row": with_row(*fields[:-1]),
                "long-row": with_row(*fields, "more"),
                "label": with_row(*wrong),
                "half": with_row(*fields[: len(fields) // 2]),
                "long-line": with_row("a" * LONG, *fields[1:]),
            }
        )
        if header:
            spoils |= {
                "header-alone": content((header[0] + "\n").encode()),
                "other-header": content(f"a\tb\n{row}\n".encode()),
                "no-header": content(f"{row}\n{row}\n".encode()),
            }
        stem = file[:-4]
        split = _SPLITS[stem.partition("_")[0].partition("-")[0]]
        split += "_matched" * (task == "mnli")
        for name, spoil in spoils.items():
            yield _read(f"{task}-{name}", task, split, file, good, spoil)


def commands_on_benchmarks() -> Iterator[Spoiled]:
    """`finetune` and `evaluate` on such files."""
    long = b"sentence\tlabel\n" + b"so " * (LONG // 3 + 1) + b"\t1\n"
    spoils = {
        "label": content(b"sentence\tlabel\na\t7\n"),
        "long-line": content(long),
        **{name: (TEXT | ODD)[name] for name in ("empty", "pipe")},
    }
    for name, spoil in spoils.items():
        for command, task, file, more in (
            (
                "finetune", "sst2", "train.tsv", ("--workdir={}/run",),
            ),
            ("evaluate", "stsb", "dev.tsv", ()),
        ):  # fmt: skip
            yield Spoiled(
                "benchmarks' files", f"{command}-{name}", (file,),
                (
                    command, "--model=tiny:bert", f"--task={task}",
                    "--data_dir={}/data", *more,
                ),
                _folder(file, spoil), is_slow=True,
            )  # fmt: skip


def _folder(file: str, spoil: Spoil) -> Spoil:
    def prepare(folder: pathlib.Path) -> None:
        data = folder / "data"
        data.mkdir()
        for name in ("dev.tsv", "train.tsv"):
            (data / name).write_text("sentence\tlabel\nso it is\t1\n")
        spoil(data / file)

    return prepare


def _read(
    name: str, task: str, split: str, file: str, good: str, spoil: Spoil
) -> Spoiled:
    def prepare(folder: pathlib.Path) -> None:
        (folder / file).write_text(good)
        spoil(folder / file)

    def call(folder: pathlib.Path) -> object:
        from tfminilm.tasks import get_task, read

        return read(get_task(task), split, folder)

    kind = "questions" if file.endswith("json") else "benchmarks' files"
    word = task if name.endswith("gone") else file
    return Spoiled(kind, name, (word,), prepare=prepare, call=call)


_QUESTION = {
    "id": "q",
    "question": "Who?",
    "answers": [{"text": "Ann", "answer_start": 0}],
}
_PLACES = {
    "data": ("data",),
    "paragraphs": ("data", 0, "paragraphs"),
    "context": ("data", 0, "paragraphs", 0, "context"),
    "qas": ("data", 0, "paragraphs", 0, "qas"),
    "id": ("data", 0, "paragraphs", 0, "qas", 0, "id"),
    "question": ("data", 0, "paragraphs", 0, "qas", 0, "question"),
    "answers": ("data", 0, "paragraphs", 0, "qas", 0, "answers"),
    "text": ("data", 0, "paragraphs", 0, "qas", 0, "answers", 0, "text"),
    "answer_start": (
        "data", 0, "paragraphs", 0, "qas", 0, "answers", 0, "answer_start",
    ),
}  # fmt: skip
_OTHERS = {
    "null": None,
    "number": 7.5,
    "true": True,
    "object": {"a": 1},
    "list-of-lists": [[]],
    "missing": ...,
}


def _squad(version: str = "1.1") -> dict:
    paragraph = {"context": "Ann came.", "qas": [dict(_QUESTION)]}
    return {"version": version, "data": [{"paragraphs": [paragraph]}]}


def questions() -> Iterator[Spoiled]:
    """A file of SQuAD that is spoiled."""
    good = json.dumps(_squad())
    for task, file in (
        ("squad", "dev-v1.1.json"),
        ("squad_v2", "dev-v2.0.json"),
        ("mlqa", "dev-context-en-question-en.json"),
    ):
        spoils = JSON | ODD if task == "squad" else JSON
        for name, spoil in spoils.items():
            yield _read(f"{task}-{name}", task, "validation", file, good, spoil)
    for place, path in _PLACES.items():
        for other, value in _OTHERS.items():
            yield _read(
                f"{place}-{other}", "squad", "validation", "dev-v1.1.json",
                good, content(json.dumps(_changed(path, value)).encode()),
            )  # fmt: skip
    for name, path, value in (
        ("start-negative", "answer_start", -1),
        ("start-too-far", "answer_start", 10**6),
        ("start-huge", "answer_start", 10**17),
        ("start-huger", "answer_start", 10**30),
        ("answer-elsewhere", "text", "Bob"),
        ("answer-empty", "text", ""),
        ("context-empty", "context", ""),
        ("context-long", "context", "Ann " * (LONG // 4 + 1)),
        ("question-long", "question", "Who " * (LONG // 4 + 1)),
        ("no-answer", "answers", []),
        ("no-question", "qas", []),
        ("no-paragraph", "paragraphs", []),
        ("no-article", "data", []),
        ("same-id", "qas", [_QUESTION, _QUESTION]),
        ("impossible", "qas", [_QUESTION | {"is_impossible": True}]),
        ("impossible-text", "qas", [_QUESTION | {"is_impossible": "no"}]),
    ):
        yield _read(
            name, "squad", "validation", "dev-v1.1.json", good,
            content(json.dumps(_changed(_PLACES[path], value)).encode()),
        )  # fmt: skip


def _changed(path: tuple, value: object) -> dict:
    whole = json.loads(json.dumps(_squad()))
    inside = whole
    for key in path[:-1]:
        inside = inside[key]
    if value is ...:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return whole


CASES = (*tables(), *benchmarks(), *commands_on_benchmarks(), *questions())
