"""Writes `token_ids/many.json`: ids of 2,500 lines, as digests of blocks.

    python tests/golden/make_many_ids.py

It asks `AutoTokenizer` of `transformers` 5.24, which need not be installed
beside this package, for the folders of `make_token_ids.py`. The lines are made:
250 of random words of each of eight scripts, and 500 hard ones, of random parts
of the lines there. A digest is of the ids of `BLOCK` lines.
"""

import hashlib
import importlib.util
import json
import pathlib
import tempfile
import unicodedata

import numpy as np

_PATH = pathlib.Path(__file__).with_name("make_token_ids.py")
_spec = importlib.util.spec_from_file_location(_PATH.stem, _PATH)
token_ids = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(token_ids)

GOLDEN = token_ids.HERE / "many.json"
BLOCK = 50
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


def main():
    import transformers

    found = {}
    for family in token_ids.FAMILIES:
        with tempfile.TemporaryDirectory() as beside:
            folder = token_ids.copy(family, pathlib.Path(beside, family))
            other = transformers.AutoTokenizer.from_pretrained(
                str(folder), split_special_tokens=True
            )
        rows = other(lines(), add_special_tokens=False)["input_ids"]
        found[family] = digests(rows)
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
