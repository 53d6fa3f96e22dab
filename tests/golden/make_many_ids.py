"""Writes `token_ids/many.json`: ids of 2,500 lines, as digests of blocks.

    python tests/golden/make_many_ids.py write
    python tests/golden/make_many_ids.py read

Both need `transformers` 5.24, which need not be installed beside this package.
The first makes the folders of `TRAINED` as it writes them, with vocabularies
that are trained on every third line. The second asks `AutoTokenizer` for those,
for the folders of `make_token_ids.py` and for other goldens' folders. The lines
are made: 250 of random words of each of eight scripts, and 500 hard ones, of
random parts of the lines there. A digest is of the ids of `BLOCK` lines.

Of `PIECES` this package has other ids on purpose: it runs SentencePiece, which
trained those models, and `transformers` does not. So there the golden has what
SentencePiece gives, the ids of a line sorted, as its versions order pieces of
the same score in different ways; a short digest of the ids of each line by
`AutoTokenizer`; and the number of lines that the two cut differently.
"""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import sys
import tempfile
import unicodedata

import make_token_ids as token_ids
import numpy as np

GOLDEN = token_ids.HERE / "many.json"
BLOCK = 50
# By the name of a case: the type of its model, the folder and its file.
TRAINED = {
    name: (kind, f"token_ids/{name}", "tokenizer.json.gz")
    for name, kind in (
        ("electra", "electra"),
        ("mpnet", "mpnet"),
        ("xlm_roberta", "xlm-roberta"),
    )
}
MORE = TRAINED | {
    "camembert": ("camembert", "token_ids/camembert", "tokenizer.json"),
    "deberta_v3": ("deberta-v2", "token_ids/deberta_v3", "tokenizer_5.json"),
    "deberta_v3_pieces": ("deberta-v2", "token_ids/deberta_v3", "spm.model"),
    "modernbert": ("modernbert", "modernbert", "tokenizer.json"),
}
# What a piece's id is more than in its model, and the id of what is unknown.
PIECES = {"xlm_roberta": (1, 3), "deberta_v3_pieces": (0, 3)}
NAMES = (*token_ids.FAMILIES, *MORE)
SCRIPTS = {
    "Latin": (0x41, 0x17F),
    "Greek": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x4FF),
    "Hebrew": (0x5D0, 0x5EA),
    "Arabic": (0x620, 0x64A),
    "Devanagari": (0x904, 0x94D),
    "Thai": (0xE01, 0xE3A),
    "Han and Hangul": (0x4E00, 0x4FFF),
}


def lines():
    """All lines, always the same: 250 of each script, then the hard ones."""
    random, made = np.random.default_rng(0), []
    for first, last in SCRIPTS.values():
        letters = [chr(code) for code in range(first, last + 1)]
        if first == 0x4E00:
            letters += [chr(code) for code in range(0xAC00, 0xAD00)]
        letters = [c for c in letters if unicodedata.category(c)[0] in "LM"]
        for _ in range(250):
            sizes = random.integers(1, 9, random.integers(1, 15))
            words = ["".join(random.choice(letters, size)) for size in sizes]
            made.append(" ".join(words) + random.choice(["", ".", "!", " 12"]))
    text = [line for line in token_ids.LINES if line]
    for _ in range(500):
        parts = []
        for line in random.choice(text, 3):
            start, size = random.integers(0, len(line)), random.integers(1, 25)
            parts.append(line[start : start + size])
        made.append(random.choice(["", " "]).join(parts))
    return [str(line) for line in made]


def digests(rows):
    """A digest of each block of ids."""
    blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
    return [
        hashlib.sha256(json.dumps(block).encode()).hexdigest()[:12]
        for block in blocks
    ]


def line_digests(rows):
    """A short digest of each line's ids."""
    return [
        hashlib.sha256(json.dumps(row).encode()).hexdigest()[:4] for row in rows
    ]


def copy(name, folder):
    """Copies a case's Hugging Face folder, without weights."""
    if name not in MORE:
        return token_ids.copy(name, folder)
    kind, source, file = MORE[name]
    source = pathlib.Path(__file__).parent / source
    folder.mkdir()
    token_ids._dump(folder / "config.json", {"model_type": kind})
    shutil.copy(source / "tokenizer_config.json", folder)
    content = (source / file).read_bytes()
    if file.endswith(".gz"):
        content = gzip.decompress(content)
    target = "spm.model" if file == "spm.model" else "tokenizer.json"
    (folder / target).write_bytes(content)
    return folder


def write():
    import transformers

    words = _words()
    vocabularies = {
        "electra": [*token_ids.SPECIAL, *words],
        "mpnet": ["<s>", "<pad>", "</s>", "<unk>", *words, "<mask>"],
    }
    # As the published one has it.
    vocabularies["mpnet"].insert(4, "[UNK]")
    for name, (kind, _, _) in TRAINED.items():
        with tempfile.TemporaryDirectory() as beside:
            old, new = pathlib.Path(beside), pathlib.Path(beside, "new")
            token_ids._dump(old / "config.json", {"model_type": kind})
            if name == "xlm_roberta":
                (old / "sentencepiece.bpe.model").write_bytes(_pieces())
            else:
                text = "\n".join(vocabularies[name]) + "\n"
                (old / "vocab.txt").write_text(text, "utf-8")
            other = transformers.AutoTokenizer.from_pretrained(str(old))
            other.save_pretrained(new)
            content = json.loads((new / "tokenizer.json").read_text("utf-8"))
            folder = token_ids.HERE / name
            folder.mkdir(exist_ok=True)
            shutil.copy(new / "tokenizer_config.json", folder)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        packed = gzip.compress(text.encode(), mtime=0)
        (folder / "tokenizer.json.gz").write_bytes(packed)


def _words():
    """Word pieces of BERT's kind, without special ones."""
    import tokenizers

    trained = tokenizers.BertWordPieceTokenizer()
    trained.train_from_iterator(
        lines()[::3], vocab_size=3_000, show_progress=False
    )
    words = sorted(trained.get_vocab().items(), key=lambda item: item[1])
    return [word for word, _ in words if word not in token_ids.SPECIAL]


def _pieces():
    """A SentencePiece model as XLM-R's, with its table of characters."""
    import sentencepiece

    texts = [line.replace("\0", "") for line in lines()[::3]]
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text for text in texts if text.strip()]),
        model_writer=file, vocab_size=2_200, hard_vocab_limit=False,
        unk_id=0, bos_id=1, eos_id=2, character_coverage=0.99,
        normalization_rule_name="nmt_nfkc", num_threads=1, minloglevel=2,
    )  # fmt: skip
    return file.getvalue()


def _sentence_pieces(name):
    """The ids by SentencePiece itself."""
    import sentencepiece

    path = token_ids.HERE / "deberta_v3" / "spm.model"
    proto = _pieces() if name == "xlm_roberta" else path.read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    offset, unknown = PIECES[name]
    return [
        [unknown if i == processor.unk_id() else i + offset for i in row]
        for row in processor.encode(lines())
    ]


def read():
    import transformers

    found = {}
    for name in NAMES:
        with tempfile.TemporaryDirectory() as beside:
            folder = copy(name, pathlib.Path(beside, name))
            other = transformers.AutoTokenizer.from_pretrained(
                str(folder), split_special_tokens=True
            )
        rows = other(lines(), add_special_tokens=False)["input_ids"]
        found[name] = digests(rows)
        if name in PIECES:
            right = _sentence_pieces(name)
            found[name] = {
                "sorted": digests([*map(sorted, right)]),
                "lines": " ".join(line_digests(rows)),
                "differ": sum(a != b for a, b in zip(rows, right, strict=True)),
            }
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]]()
