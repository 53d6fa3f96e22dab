"""The benchmarks' original files, a few rows each, in their own layouts."""

import json

import pytest

# As in the data itself: a lone quote, a line separator inside a sentence, and
# characters of two, three and four bytes.
_TSV = {
    "CoLA/train.tsv": (
        'gj04\t1\t\tShe said “yes”.\ngj04\t0\t*\tThe "car honked.\n',
    ),
    "CoLA/dev.tsv": ("gj04\t0\t*\tIt's in\u2028two.\ngj04\t1\t\tGood 😀.",),
    "CoLA/test.tsv": ("index\tsentence\n0\tBill whistled.\n1\tÉtienne?\n",),
    "SST-2/train.tsv": ("sentence\tlabel\nno wit \t0\na joy \t1\n",),
    "SST-2/dev.tsv": ('sentence\tlabel\ntruly " great \t1\n',),
    "SST-2/test.tsv": ("index\tsentence\n0\tuneasy\n1\tfine\n",),
    "MRPC/train.tsv": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n",
        '1\t11\t12\t" He left .\tHe left , he said .\n',
        '0\t13\t14\tIt rose .\t" It fell .\n',
    ),
    "MRPC/dev.tsv": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n",
        '1\t15\t16\tA "\tB\n',
    ),
    "MRPC/test.tsv": (
        "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tC\tD\n",
    ),
    "STS-B/train.tsv": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\t"
        "sentence1\tsentence2\tscore\n",
        "0\tg\tf\t2012\t01\tnone\tnone\tA plane.\tAn air plane.\t5.000\n",
        "1\tg\tf\t2012\t02\tnone\tnone\tA man.\tA dog.\t0.250\n",
    ),
    "STS-B/dev.tsv": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\t"
        "sentence1\tsentence2\tscore\n",
        "0\tg\tf\t2012\t03\tnone\tnone\tOne.\tTwo.\t0.000\n",
    ),
    "STS-B/test.tsv": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\t"
        "sentence1\tsentence2\n",
        "0\tg\tf\t2012\t04\tnone\tnone\tThree.\tFour.\n",
    ),
    # The middle question was cut in two by its line feed.
    "QQP/train.tsv": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n",
        "133273\t1\t2\tHow?\tHow so?\t1\n",
        "402555\t3\t4\tWhat\n",
        "is it?\tWhy?\t0\n",
        "360472\t5\t6\tWho?\tWhen?\t0\n",
    ),
    "QQP/dev.tsv": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n",
        "201359\t7\t8\tWhere?\tWhere to?\t0\n",
    ),
    "QQP/test.tsv": ("id\tquestion1\tquestion2\n0\tIs it?\tIt is?\n",),
    "QNLI/train.tsv": (
        "index\tquestion\tsentence\tlabel\n0\tWho?\tBob.\tentailment\n",
        "1\tWhen?\tBob.\tnot_entailment\n",
    ),
    "QNLI/dev.tsv": (
        "index\tquestion\tsentence\tlabel\n0\tWhat?\tRain.\tnot_entailment\n",
    ),
    "QNLI/test.tsv": ("index\tquestion\tsentence\n0\tWhy?\tWell.\n",),
    "RTE/train.tsv": (
        "index\tsentence1\tsentence2\tlabel\n0\tIt rains.\tWet.\tentailment\n",
    ),
    "RTE/dev.tsv": (
        "index\tsentence1\tsentence2\tlabel\n0\tSun.\tWet.\tnot_entailment\n",
    ),
    "RTE/test.tsv": ("index\tsentence1\tsentence2\n0\tFog.\tWet.\n",),
    "WNLI/train.tsv": (
        "index\tsentence1\tsentence2\tlabel\n0\tHe fell.\tJo fell.\t1\n",
    ),
    "WNLI/dev.tsv": (
        "index\tsentence1\tsentence2\tlabel\n0\tHe ate.\tIt ate.\t0\n",
    ),
    "WNLI/test.tsv": ("index\tsentence1\tsentence2\n0\tHe won.\tJo won.\n",),
    "AX/AX.tsv": (
        "index\tsentence1\tsentence2\n0\tThe cat sat.\tThe cat did not.\n",
    ),
}
_MNLI = "index promptID pairID genre p1 p2 p3 p4 sentence1 sentence2".split()
_XNLI = (
    "language gold_label p1 p2 p3 p4 sentence1 sentence2 promptID pairID"
).split()
_NLI = ("entailment", "neutral", "contradiction")
_LANGUAGES = "ar bg de el en es fr hi ru sw th tr ur vi zh".split()


def _mnli():
    fill = ["x"] * 8
    for split, annotators in (("train", 1), ("dev", 5), ("test", 0)):
        extra = [f"label{i + 1}" for i in range(annotators)]
        header = _MNLI + extra + (["gold_label"] if extra else [])
        lines = ["\t".join(header)]
        for i, label in enumerate(_NLI):
            row = [*fill, f"{split} {i}.", f"So {i}."]
            # The annotators do not all agree with the gold label.
            row += [_NLI[i - 1]] * annotators + ([label] if extra else [])
            lines.append("\t".join(row))
        content = "\n".join(lines) + "\n"
        if split == "train":
            yield "MNLI/train.tsv", content
        else:
            yield f"MNLI/{split}_matched.tsv", content
            yield (
                f"MNLI/{split}_mismatched.tsv",
                content.replace(f"{split} ", f"{split} other "),
            )


def _xnli():
    for split in ("dev", "test"):
        lines = ["\t".join(_XNLI)]
        for language in _LANGUAGES:
            for i, label in enumerate(_NLI):
                texts = [f"{language} {split} {i}.", f"{language} “so” {i}."]
                row = [language, label, *["x"] * 4, *texts, "1", str(i)]
                lines.append("\t".join(row))
        yield f"XNLI-1.0/xnli.{split}.tsv", "\n".join(lines) + "\n"


CONTEXT = "Der Fluß 😀 Rhine rose in 1995. It fell in 1996."


def question(name, *answers, context=CONTEXT, **more):
    """A question as JSON; an answer is its text, or text and start."""
    pairs = [
        (answer, context.index(answer)) if isinstance(answer, str) else answer
        for answer in answers
    ]
    found = [{"text": text, "answer_start": start} for text, start in pairs]
    return {"id": name, "question": f"Q {name}?", "answers": found} | more


def squad(*questions, context=CONTEXT):
    paragraph = {"context": context, "qas": list(questions)}
    article = {"title": "T", "paragraphs": [paragraph]}
    return json.dumps({"version": "1.1", "data": [article]})


def _squad():
    yield "train-v1.1.json", squad(question("t1", "1995"))
    yield "dev-v1.1.json", squad(question("d1", "Rhine", "Fluß 😀 Rhine"))
    no = question("n1", is_impossible=True, plausible_answers=[])
    yes = question("y1", "1996", is_impossible=False)
    yield "train-v2.0.json", squad(yes, no)
    yield "dev-v2.0.json", squad(no)
    for split in ("dev", "test"):
        for pair in ("en-en", "de-de", "de-en"):
            context, wanted = pair.split("-")
            name = f"{split}-context-{context}-question-{wanted}.json"
            content = squad(question(f"{split} {pair}", "Rhine"))
            yield f"MLQA_V1/{split}/{name}", content


def _imdb():
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            for name in ("2_4", "10_3"):
                text = f"{split} {label} {name}<br /><br />é\n"
                yield f"aclImdb/{split}/{label}/{name}.txt", text
        yield f"aclImdb/{split}/unsup/0_0.txt", "unknown"


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """A folder with every benchmark's original files. Shared: read only."""
    folder = tmp_path_factory.mktemp("originals")
    files = {name: "".join(parts) for name, parts in _TSV.items()}
    for made in (_mnli(), _xnli(), _squad(), _imdb()):
        files |= dict(made)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return folder


@pytest.fixture(scope="session")
def make_question():
    """A question as SQuAD's JSON: `make_question(id, *answers, **more)`."""
    return question


@pytest.fixture(scope="session")
def make_squad():
    """A SQuAD file's content of `make_squad(*questions, context=...)`."""
    return squad
