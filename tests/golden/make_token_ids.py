# ruff: noqa: RUF001
"""Writes `token_ids/`: what `transformers` cuts hard lines into.

    python tests/golden/make_token_ids.py write
    python tests/golden/make_token_ids.py read

The first makes Hugging Face folders with small vocabularies of each family,
without weights; it needs `tokenizers` and `sentencepiece`. The second asks
`AutoTokenizer` of `transformers` 5.24, which need not be installed beside this
package, and stores the ids. Special tokens in a line are text to it, as here.
"""

import gzip
import io
import json
import pathlib
import shutil
import sys
import tempfile
import unicodedata

HERE = pathlib.Path(__file__).parent / "token_ids"
FAMILIES = ("bert", "bert_cased", "bert_accents", "albert", "roberta")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LINES = (
    "Straße, Fußball, GROẞ İstanbul ﬁn ½ ² ① ㎏ Å Ω Ǆ ǅ ŉ",
    "ＡＢＣ，ｄｅｆ！ｶﾞ",
    "สวัสดีครับ ภาษาไทย กำ ນ້ຳ",
    "한국어 텍스트 각 힣 \u1100\u1161\u11a8 \u302e가\u302f",
    "漢字かな交じり文 ガギグ 豈更 \U0002f800",
    "e\u0301a\u0300\u0323 ñ ữ x\u0338 ≠ ≮ Ａ\u030a",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e🙂x",
    "a\0b\u0007c\u200bd\u00ade\ufefff\ufffdg",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\x0bg\x1ch",
    "\ue000 \U000f0000 \u0378 \U0001f9ff \U00020000 x\ue000y",
    "``quoted'' 'single' \"double\" don't I'll we'VE",
    "[MASK] [SEP] <mask> </s> <pad> [CLS]x",
    "x" * 100 + " " + "x" * 101 + " " + "é" * 51 + " " + "é" * 101,
    "हिन्दी বাংলা தமிழ் ᬓ᭄",
    "עִבְרִית العَرَبِيَّة",
    "ΑΣ Σίσυφος ς CAFÉ café naïve",
    "  leading and   many\tspaces\nnew \r\n ",
    "9,000,000.50 % $5 2, snake_case a-b",
    "—…“”‘’«»¿¡§¶†‰′″‹›⁂",
    "",
    " ",
)


def write() -> None:
    """Writes the folders."""
    for family in FAMILIES:
        folder = HERE / family
        folder.mkdir(parents=True, exist_ok=True)
        kind = family.partition("_")[0]
        _dump(folder / "config.json", {"model_type": kind})
        if kind == "bert":
            _write_words(folder)
        elif kind == "albert":
            _write_pieces(folder)
        else:
            _write_byte_pairs(folder)


def read() -> None:
    """Stores the ids."""
    import transformers

    found = {}
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as beside:
            folder = copy(family, pathlib.Path(beside, family))
            other = transformers.AutoTokenizer.from_pretrained(
                str(folder), split_special_tokens=True
            )
        rows = other(list(LINES), add_special_tokens=False)["input_ids"]
        found[family] = rows
    text = json.dumps(found, separators=(",", ":"))
    (HERE / "golden.json").write_text(text + "\n")


def copy(family: str, folder: pathlib.Path) -> pathlib.Path:
    """Copies a family's folder, and unpacks what is packed in it."""
    shutil.copytree(HERE / family, folder)
    for packed in folder.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    return folder


def _write_words(folder: pathlib.Path) -> None:
    """Every letter that the lines may come to, and a few longer pieces."""
    text = " ".join(LINES)
    text += unicodedata.normalize("NFD", text)
    text += unicodedata.normalize("NFKC", text.casefold())
    text += text.lower() + text.upper()
    letters = sorted({c for c in text if not c.isspace() and c != "\0"})
    words = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    words += ["cafe", "CAFÉ", "strasse", "straße", "##ball", "na", "##ive"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    if folder.name == "bert_cased":
        settings["do_lower_case"] = False
    if folder.name == "bert_accents":
        settings["strip_accents"] = False
    _dump(folder / "tokenizer_config.json", settings)


def _write_pieces(folder: pathlib.Path) -> None:
    import sentencepiece

    lines = [line.replace("\0", "") for line in LINES if line.strip()]
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *(x.lower() for x in lines)] * 5),
        model_writer=file, vocab_size=450, hard_vocab_limit=False,
        pad_piece="<pad>", pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
        control_symbols="[CLS],[SEP],[MASK]", num_threads=1,
        normalization_rule_name="nfkc", minloglevel=2,
    )  # fmt: skip
    # The rules of Unicode's normal forms take most of its room.
    packed = gzip.compress(file.getvalue(), mtime=0)
    (folder / "spiece.model.gz").write_bytes(packed)
    settings = {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True}
    _dump(folder / "tokenizer_config.json", settings)


def _write_byte_pairs(folder: pathlib.Path) -> None:
    import tokenizers

    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(
        LINES, vocab_size=400, show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )  # fmt: skip
    trained.save_model(str(folder))
    _dump(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "RobertaTokenizer"},
    )


def _dump(path: pathlib.Path, content: dict) -> None:
    path.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]]()
