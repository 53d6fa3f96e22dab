"""Writes `token_ids/deberta_v3/`: a small tokenizer, and what it gives.

    python tests/golden/make_deberta_tokens.py write
    python tests/golden/make_deberta_tokens.py read

The first trains a SentencePiece model, laid out as DeBERTa-v3's, which folds a
few forms of characters. The second, run with `transformers` 4.57 and then with
5.24, stores the ids of `make_token_ids.LINES`, and the `tokenizer.json` that
this version writes: the two cut texts by different rules. Special tokens in a
line are text. `slow.json` has the ids of the older version's own code, which
runs SentencePiece.
"""

import io
import json
import pathlib
import sys
import tempfile
import unicodedata

import make_token_ids as made

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "token_ids" / "deberta_v3"


def write():
    """Trains the model."""
    import sentencepiece

    letters = sorted({c for line in made.LINES for c in line})
    rules = {c: unicodedata.normalize("NFKC", c) for c in letters}
    rules |= {c: " " for c in letters if c.isspace()}
    lines = [
        f"{ord(c):X}\t{' '.join(f'{ord(x):X}' for x in folded)}"
        for c, folded in rules.items()
        if c not in (folded, "\0")
    ]
    texts = [line.replace("\0", "") for line in made.LINES if line.strip()]
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rules.tsv")
        path.write_text("\n".join(lines) + "\n")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*texts, *(x.lower() for x in texts)] * 5),
            model_writer=file, vocab_size=450, hard_vocab_limit=False,
            pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
            unk_piece="[UNK]", pad_id=0, bos_id=1, eos_id=2, unk_id=3,
            normalization_rule_tsv=str(path), num_threads=1, minloglevel=2,
        )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "spm.model").write_bytes(file.getvalue())
    dump("config.json", {"model_type": "deberta-v2"})
    settings = {"do_lower_case": False, "vocab_type": "spm"}
    dump("tokenizer_config.json", settings)


def read():
    """Stores what the installed version of `transformers` gives."""
    import transformers

    version, *_ = transformers.__version__.split(".")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(FOLDER))
    dump(f"ids_{version}.json", ids_of(tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        text = pathlib.Path(folder, "tokenizer.json").read_text()
    dump(f"tokenizer_{version}.json", json.loads(text))
    if version == "4":
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(FOLDER), use_fast=False
        )
        dump("slow.json", ids_of(tokenizer))


def ids_of(tokenizer):
    return tokenizer(
        list(made.LINES), add_special_tokens=False, split_special_tokens=True
    )["input_ids"]


def dump(name, content):
    text = json.dumps(content, separators=(",", ":"))
    (FOLDER / name).write_text(text + "\n")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]]()
