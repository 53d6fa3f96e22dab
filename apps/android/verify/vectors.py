"""Golden vectors: what Python makes of texts with a bundle, for the tests.

Run as a program it prints where Hugging Face's tokenizer differs from the one
used in training, `python vectors.py BUNDLE DATA`.
"""

import collections
import itertools
import json
import pathlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import texts

if TYPE_CHECKING:
    from tfminilm.export.manifest import TokenizerSettings

_BATCH = 2000


def write_tokens(
    bundle: pathlib.Path, lines: Iterable[str], output: pathlib.Path
) -> None:
    """Write JSON lines of `text`, its token `ids`, and `spans`.

    The ids are those of the tokenizer used in training, without special
    tokens. `spans` are the places `start, end, ...` in UTF-16, as the reading
    of questions in training has them; left out where KerasHub's rules cut the
    text otherwise there, as they do at rare characters, and where BERT's put
    marks into another order.
    """
    both = _references(bundle)
    content = json.loads((bundle / "manifest.json").read_text("utf-8"))
    is_bert = content["tokenizer"]["rules"] == "bert"
    readable = _paired if is_bert else _readable
    with output.open("w", encoding="utf-8") as file:
        for batch in _batches(lines):
            read = [readable(line) for line in batch]
            ids, spans = both(read)
            for line, text, own, span in zip(
                batch, read, ids, spans, strict=True
            ):
                row: dict[str, Any] = {"text": line, "ids": own.tolist()}
                other = _has_sorted(text) if is_bert else _is_new(text)
                if span.ids.tolist() == row["ids"] and not other:
                    row["spans"] = _utf16(text, span.spans)
                file.write(json.dumps(row) + "\n")


def write_pieces(
    bundle: pathlib.Path, lines: Iterable[str], output: pathlib.Path
) -> None:
    """Do what `write_tokens` does, for a SentencePiece model.

    The places are those of the `sentencepiece` package; left out where it
    chooses another of two ways to cut that are equally likely, as happens in
    long lines, by the rounding of sums.
    """
    from tfminilm.export.bundle.reader import open_bundle
    from tfminilm.tasks import encode

    opened = open_bundle(bundle)
    engine = _package(bundle)
    settings = opened.manifest.tokenizer
    with output.open("w", encoding="utf-8") as file:
        for batch in _batches(lines):
            read = [_paired(line) for line in batch]
            flat, sizes = encode.tokens_of(read, opened.tokenizer)
            ids = np.split(flat, np.cumsum(sizes)[:-1])
            for line, text, own in zip(batch, read, ids, strict=True):
                row: dict[str, Any] = {"text": line, "ids": own.tolist()}
                theirs = engine.encode(text, return_type="offset_mapping")
                if _shifted(theirs["ids"], settings) == row["ids"]:
                    spans = np.array(theirs["offsets"], int)
                    row["spans"] = _utf16(text, spans)
                file.write(json.dumps(row) + "\n")


def _package(bundle: pathlib.Path) -> Any:
    import sentencepiece

    model = (bundle / "sentencepiece.model").read_bytes()
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def _shifted(ids: Sequence[int], settings: "TokenizerSettings") -> list[int]:
    """Return a model's own numbers of pieces as token ids."""
    unknown = settings.special_ids["unk"]
    return [unknown if i == 0 else i + settings.id_offset for i in ids]


def _references(bundle: pathlib.Path) -> Any:
    from tfminilm.export.bundle.reader import open_bundle
    from tfminilm.tasks import encode
    from tfminilm.tasks.spans import span_tokenizer

    tokenizer = open_bundle(bundle).tokenizer
    with_spans = span_tokenizer(tokenizer)

    def both(batch: Sequence[str]) -> Any:
        flat, sizes = encode.tokens_of(batch, tokenizer)
        return np.split(flat, np.cumsum(sizes)[:-1]), with_spans(batch)

    return both


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    source = iter(lines)
    while batch := list(itertools.islice(source, _BATCH)):
        yield batch


def _is_new(text: str) -> bool:
    """Return whether a character is newer than Python's Unicode."""
    return any(unicodedata.category(character) == "Cn" for character in text)


def _has_sorted(text: str) -> bool:
    """Tell whether Unicode puts a mark elsewhere that is no accent.

    In Hugging Face's places it stands where it was put, in ours where it was.
    """
    return any(
        unicodedata.combining(character)
        and unicodedata.category(character) != "Mn"
        for character in unicodedata.normalize("NFD", text)
    )


def _readable(line: str) -> str:
    """Write what the app reads by KerasHub's rules.

    U+0000 parts words. TensorFlow's operations drop what is behind it.
    """
    return _paired(line).replace("\0", " ")


def _paired(line: str) -> str:
    """Return pairs of surrogates joined, others as U+FFFD."""
    joined = line.encode("utf-16", "surrogatepass")
    return joined.decode("utf-16", "replace")


def _utf16(text: str, spans: Any) -> list[int]:
    """Return places in code points as places in UTF-16."""
    places = [0]
    for character in text:
        places.append(places[-1] + 1 + (ord(character) > 0xFFFF))
    return [places[at] for at in spans.reshape(-1)]


def name_of(bundle: pathlib.Path) -> str:
    """Return what the tests call a bundle: its task, or what is special about
    it.
    """
    content = json.loads((bundle / "manifest.json").read_text("utf-8"))
    task, kind = content["task"], content["tokenizer"]["kind"]
    if (task, kind) == ("question_answering", "sentencepiece"):
        return "multilingual"
    is_pair = task == "classification" and content["num_texts"] == 2
    return "pairs" if is_pair else task


def write_logits(
    bundle: pathlib.Path, lines: Sequence[str], output: pathlib.Path
) -> None:
    """Write JSON lines of `text` and the model's `values` for it.

    Those are a classifier's logits, or an encoder's sentence embedding. A
    model of pairs reads each line with its successor, `other`.
    """
    from tfminilm.export.bundle import evaluate
    from tfminilm.export.bundle.reader import open_bundle
    from tfminilm.tasks import encode

    opened = open_bundle(bundle)
    rows: list[tuple[str, ...]] = [(line,) for line in lines]
    if opened.manifest.num_texts == 2:
        rows = list(zip(lines, [*lines[1:], *lines[:1]], strict=True))
    longest = opened.encoder.lengths[-1]
    encoded = encode.encode_texts(rows, opened.tokenizer, longest)
    found = evaluate.run(opened.encoder, encoded)
    with output.open("w", encoding="utf-8") as file:
        for own, values in zip(rows, found, strict=True):
            if isinstance(values, dict):
                values = values["sentence_embedding"]
            row = dict(zip(("text", "other"), own, strict=False))
            file.write(json.dumps(row | {"values": values.tolist()}) + "\n")


def write_answers(
    bundle: pathlib.Path,
    questions: Sequence[tuple[str, str]],
    output: pathlib.Path,
) -> None:
    """Write JSON lines of `question`, `text` and what the model answers.

    `answers` and their `scores`, the best one first; `no_answer` as the app
    has it; the `answer` after the threshold and its `probability`, and the
    number of `windows`.
    """
    from tfminilm.export.bundle import evaluate
    from tfminilm.export.bundle.reader import open_bundle
    from tfminilm.tasks.example import QAExample
    from tfminilm.tasks.kinds import kind_of
    from tfminilm.tasks.windows import answers, make_windows

    opened = open_bundle(bundle)
    settings = opened.manifest.question_answering
    examples = [
        QAExample(
            id=str(index),
            question=question,
            context=text,
            answers=(),
            answer_starts=(),
            is_impossible=True,
        )
        for index, (question, text) in enumerate(questions)
    ]
    windows = make_windows(
        *(examples, opened.tokenizer, opened.encoder.lengths[-1]),
        doc_stride=settings.document_stride,
    )
    rows = evaluate.run(opened.encoder, windows)
    logits = {
        index: (row["start_logits"], row["end_logits"])
        for index, row in enumerate(rows)
    }
    counts = np.bincount(windows.question)
    shown = kind_of(opened.settings).predictions(
        opened.settings, examples, windows, rows
    )
    with output.open("w", encoding="utf-8") as file:
        for example, found, count, prediction in zip(
            examples,
            answers(examples, windows, logits),
            counts,
            shown,
            strict=True,
        ):
            row = {
                "question": example.question,
                "text": example.context,
                "answers": found.texts,
                "scores": found.scores,
                "no_answer": found.no_answer_score,
                "answer": found.text(settings.null_threshold),
                "windows": int(count),
                "probability": prediction.score,
            }
            file.write(json.dumps(row) + "\n")


def compare(bundle: pathlib.Path, lines: Iterable[str]) -> None:
    """Print how often, and at what, two references differ."""
    import tokenizers

    other = tokenizers.BertWordPieceTokenizer(str(bundle / "vocab.txt"))
    both = _references(bundle)
    counts: dict[str, int] = collections.Counter()
    for batch in _batches(lines):
        read = [_readable(line) for line in batch]
        ids, spans = both(read)
        found = other.encode_batch(read, add_special_tokens=False)
        for text, own, span, theirs in zip(
            read, ids, spans, found, strict=True
        ):
            counts["lines"] += 1
            same = own.tolist() == span.ids.tolist()
            counts["other ids with places"] += not same
            if own.tolist() != theirs.ids:
                counts["other ids in Hugging Face"] += 1
                counts[f"  {_reason(text)}"] += 1
            elif same:
                places = [tuple(map(int, place)) for place in span.spans]
                counts["other places"] += places != theirs.offsets
    for name, count in counts.items():
        print(f"{name:60}{count:10,}")


def _reason(text: str) -> str:
    """Return the first of the known differences that a text has."""
    normalise = unicodedata.normalize
    if re.search(r"\[(CLS|SEP|MASK|PAD|UNK)\]", text):
        return "a special token in the text"
    if "\ufffd" in text:
        return "U+FFFD"
    if re.search(r"[^\S \t\n\r\f\v\x1c-\x1f\x85]", text):
        return "a blank beyond ASCII"
    if any(normalise("NFKC", c) != normalise("NFC", c) for c in text):
        return "a compatibility form, such as a full-width comma"
    if any(c.lower() != c.casefold() for c in text):
        return "a letter that case folding replaces, such as \u00df"
    if re.search("[\uac00-\ud7a3]", text):
        return "Korean, which is taken apart and not put together again"
    if any(len(word.encode()) > 100 for word in text.split()):
        return "a word of more than 100 bytes"
    return "another"


if __name__ == "__main__":
    for source in (
        texts.shared(pathlib.Path(sys.argv[2])),
        texts.adversarial(20_000),
    ):
        compare(pathlib.Path(sys.argv[1]), source)
