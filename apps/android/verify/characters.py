"""Writes the app's tables of characters: `python characters.py`.

What counts as a space, as a word of its own, as an accent, and how a character
is folded is asked of the operations that the training's tokenizers are made of
(Hugging Face's for BERT's rules; KerasHub's patterns and TensorFlow Text for
KerasHub's), so that a phone's version of Unicode does not matter.

A file is gzipped, numbers are big-endian int32: four lists of ranges `count,
(first, last)...` (spaces; words of their own; characters that are dropped;
those that may join the one before them, or keep others from being sorted),
then three maps `count, (character, length, characters...)...`: its
decomposition without accents, its folding, and its combining class.
"""

import gzip
import pathlib
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apk

_FOLDER = apk.MAIN / "resources" / "org" / "tfminilm"
# A decomposition that follows from the code point is left out.
_HANGUL = range(0xAC00, 0xD7A4)
_JAMO = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]
_CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def main() -> None:
    """Write the files."""
    _write(_FOLDER / "characters_bert.bin", _bert())
    _write(_FOLDER / "characters_keras_hub.bin", _keras_hub())


def _bert() -> list[int]:
    import tokenizers

    def normalised(code: int, **options: bool) -> str:
        engine = engines[tuple(options)]
        return engine.normalize_str(f"a{chr(code)}b")[1:-1]

    engines = {
        names: tokenizers.normalizers.BertNormalizer(
            **dict.fromkeys(_OPTIONS, False) | dict.fromkeys(names, True)
        )
        for names in ((name,) for name in _OPTIONS)
    }
    split = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    clean = {c: normalised(c, clean_text=True) for c in _CODES}
    kept = [c for c in _CODES if clean[c] == chr(c) != " "]
    chinese = {
        c for c in kept if len(normalised(c, handle_chinese_chars=True)) > 1
    }
    stripped = {c: normalised(c, strip_accents=True) for c in kept}
    lowered = {c: normalised(c, lowercase=True) for c in kept}
    classes = {c: unicodedata.combining(chr(c)) for c in kept}
    marks = {c: k for c, k in classes.items() if k and stripped[c]}
    barriers = [c for c in kept if not stripped[c] and not classes[c]]
    alone = (c for c in kept if c in chinese or len(split(f"a{chr(c)}b")) == 3)
    return (
        _ranges(c for c in _CODES if clean[c] == " ")
        + _ranges(alone)
        + _ranges(c for c in _CODES if not clean[c])
        + _ranges(iter(sorted([*marks, *barriers])))
        + _map(_changed(stripped, leave=_HANGUL))
        + _map(_changed(lowered))
        + _map({c: chr(k) for c, k in marks.items()})
    )


_OPTIONS = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")


def _keras_hub() -> list[int]:
    import tensorflow as tf
    import tensorflow_text as tf_text
    from keras_hub.src.tokenizers import word_piece_tokenizer as rules

    text = tf.constant([chr(code).encode() for code in _CODES])

    def matching(pattern: str) -> Iterator[int]:
        found = tf.strings.regex_full_match(text, pattern).numpy()
        return (c for c, fits in zip(_CODES, found, strict=True) if fits)

    def words(result: Any) -> dict[int, str]:
        pairs = zip(_CODES, result.numpy(), strict=True)
        return {code: value.decode() for code, value in pairs}

    decomposed = tf_text.normalize_utf8(text, "NFD")
    stripped = tf.strings.regex_replace(decomposed, r"\p{Mn}", "")
    nothing = [0]
    return (
        _ranges(matching(rules.WHITESPACE_REGEX))
        + _ranges(matching(rules.PUNCTUATION_AND_CJK_REGEX))
        + nothing
        + _ranges(_joining(_CODES))
        + _map(_changed(words(stripped), leave=_HANGUL))
        + _map(_changed(words(tf_text.case_fold_utf8(text))))
        + nothing
    )


def _changed(
    words: Mapping[int, str], leave: range = range(0)
) -> dict[int, str]:
    return {
        code: word
        for code, word in words.items()
        if word != chr(code) and code not in leave
    }


def _joining(codes: Iterable[int]) -> Iterator[int]:
    """Find what normalisation may merge with, or move before, another."""
    seconds = set(_JAMO)
    for code in codes:
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(int(parts[1], 16))
        if unicodedata.combining(chr(code)):
            seconds.add(code)
    return iter(sorted(seconds))


def _ranges(codes: Iterator[int]) -> list[int]:
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [len(found), *(number for pair in found for number in pair)]


def _map(entries: Mapping[int, str]) -> list[int]:
    rows: list[Sequence[int]] = [
        (code, len(word), *map(ord, word)) for code, word in entries.items()
    ]
    return [len(rows), *(number for row in rows for number in row)]


def _write(path: pathlib.Path, content: Sequence[int]) -> None:
    packed = struct.pack(f">{len(content)}i", *content)
    path.write_bytes(gzip.compress(packed, mtime=0))


if __name__ == "__main__":
    main()
