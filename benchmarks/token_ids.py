"""Compares token ids with those of `transformers`, on many lines.

    python benchmarks/token_ids.py ours DATA FOLDER
    python benchmarks/token_ids.py theirs DATA FOLDER

The first makes a small vocabulary of each family from DATA's own text, writes
Hugging Face folders with them, and stores what this package makes of every
line. The second, with `transformers` 5 (which need not be installed beside
this package), asks `AutoTokenizer` and prints on how many lines of each kind
the ids are the same, by KerasHub's rules too.

DATA is a folder with `xnli` and `corpus`, as for `apps/android/verify`.
"""

import collections
import itertools
import json
import pathlib
import sys
from collections.abc import Iterator

import _shared
import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
sys.path.append(str(ROOT / "apps" / "android" / "verify"))
import texts  # noqa: E402

_HARD = 20_000
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_PIECES = 12_000
_UNIGRAMS = 12_000
FAMILIES = ("bert", "bert_cased", "albert", "roberta", "xlm_roberta")


def lines(data: pathlib.Path) -> dict[str, list[str]]:
    """Return all lines by their kind."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for path in sorted((data / "xnli").glob("*.tsv")):
        for line in path.read_text("utf-8").splitlines():
            found[f"XNLI {path.stem[-2:]}"] += line.split("\t")[:2]
    for folder in sorted((data / "corpus").glob("wikipedia_*")):
        rows: Iterator[str] = itertools.islice(texts.paragraphs(folder), 12_000)
        found[f"Wikipedia {folder.name[-2:]}"] = list(rows)
    found["hard"] = [
        line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for line in texts.adversarial(_HARD)
    ]
    return dict(found)


def ours(data: pathlib.Path, folder: pathlib.Path, families: list[str]) -> None:
    """Write the folders and the ids."""
    from tfminilm import teachers
    from tfminilm.tasks import encode

    every = lines(data)
    sample = [x for name in every for x in every[name][::7]]
    for family in families:
        own = folder / family
        own.mkdir(parents=True, exist_ok=True)
        _write_folder(family, own, sample)
        for rules in (None, "keras_hub"):
            tokenizer = teachers.load_tokenizer(own, rules)
            arrays = {}
            for name, rows in every.items():
                rows = [row.replace("\0", " ") for row in rows]
                ids, lengths = encode.tokens_of(rows, tokenizer)
                arrays |= {f"{name}/ids": ids, f"{name}/lengths": lengths}
            np.savez(own / f"{rules or 'ours'}.npz", **arrays)


def theirs(
    data: pathlib.Path, folder: pathlib.Path, families: list[str]
) -> None:
    """Print the shares."""
    import transformers

    every = lines(data)
    for family in families:
        other = transformers.AutoTokenizer.from_pretrained(
            str(folder / family), split_special_tokens=True
        )
        own, keras = (
            np.load(folder / family / f"{name}.npz")
            for name in ("ours", "keras_hub")
        )
        for name, rows in every.items():
            rows = [row.replace("\0", " ") for row in rows]
            found = other(rows, add_special_tokens=False)["input_ids"]
            shares = []
            for stored in (own, keras):
                ends = np.cumsum(stored[f"{name}/lengths"])[:-1]
                mine = np.split(stored[f"{name}/ids"], ends)
                same = [
                    a.tolist() == b for a, b in zip(mine, found, strict=True)
                ]
                shares.append(same)
                if stored is own and not all(same):
                    at = same.index(False)
                    print(repr(rows[at][:200]), mine[at][:40], found[at][:40])
            counts = [f"{sum(same):9,}" for same in shares]
            print(f"{family:12}{name:14}{len(rows):9,}", *counts)


def _write_folder(family: str, folder: pathlib.Path, sample: list[str]) -> None:
    """Write a folder as people have them, without its weights."""
    kind = family.removesuffix("_cased").replace("_", "-")
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "model.safetensors").write_bytes(b"")
    {
        "bert": _write_words,
        "bert_cased": _write_words,
        "albert": _write_albert,
        "roberta": _write_byte_pairs,
        "xlm_roberta": _write_pieces,
    }[family](folder, sample)


def _write_words(folder: pathlib.Path, sample: list[str]) -> None:
    import tokenizers

    lowers = folder.name == "bert"
    trained = tokenizers.BertWordPieceTokenizer(lowercase=lowers)
    trained.train_from_iterator(
        sample, vocab_size=_PIECES, special_tokens=_SPECIAL,
        show_progress=False, limit_alphabet=8000,
    )  # fmt: skip
    ids = trained.get_vocab()
    words = sorted(ids, key=ids.__getitem__)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": lowers}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_byte_pairs(folder: pathlib.Path, sample: list[str]) -> None:
    import tokenizers

    trained = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(
        sample, vocab_size=_PIECES, special_tokens=special, show_progress=False
    )
    trained.save_model(str(folder))
    settings = {"tokenizer_class": "RobertaTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_albert(folder: pathlib.Path, sample: list[str]) -> None:
    _train(
        sample, folder / "spiece.model", pad_piece="<pad>", pad_id=0, unk_id=1,
        bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]",
    )  # fmt: skip
    settings = {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write_pieces(folder: pathlib.Path, sample: list[str]) -> None:
    _train(sample, folder / "sentencepiece.bpe.model")
    settings = {"tokenizer_class": "XLMRobertaTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _train(sample: list[str], path: pathlib.Path, **options) -> None:
    import sentencepiece

    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(x for x in sample[::9] if "\0" not in x),
            model_writer=file, vocab_size=_UNIGRAMS, minloglevel=2,
            normalization_rule_name="nmt_nfkc", character_coverage=0.98,
            max_sentence_length=100_000, **options,
        )  # fmt: skip


def main() -> None:
    """Run one of the two steps."""
    parser = _shared.Parser(__doc__)
    parser.add_argument("step", choices=("ours", "theirs"))
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=FAMILIES
    )
    given = parser.parse_args()
    step = ours if given.step == "ours" else theirs
    step(given.data, given.folder, given.families)


if __name__ == "__main__":
    main()
