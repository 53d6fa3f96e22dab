"""Writes the app's table of characters: `python characters.py`.

What counts as a space, as a word of its own, as an accent, and how a character
is folded is asked of the operations that the training's tokenizer is made of
(KerasHub's patterns, TensorFlow Text), so that a phone's version of Unicode
does not matter. The file is gzipped, numbers are big-endian int32: three lists
of ranges `count, (first, last)...` (spaces; words of their own; characters
that may join the one before them), then two maps `count, (character, length,
characters...)...`: its decomposition without accents, and its folding.
"""

import gzip
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import apk

PATH = apk.MAIN / "resources" / "org" / "tfminilm" / "characters.bin"
# A decomposition that follows from the code point is left out.
_HANGUL = range(0xAC00, 0xD7A4)
_JAMO = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]


def main() -> None:
    """Writes the file."""
    import tensorflow as tf
    import tensorflow_text as tf_text
    from keras_hub.src.tokenizers import word_piece_tokenizer as rules

    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    text = tf.constant([chr(code).encode() for code in codes])

    def matching(pattern: str) -> Iterator[int]:
        found = tf.strings.regex_full_match(text, pattern).numpy()
        return (c for c, fits in zip(codes, found, strict=True) if fits)

    def changed(result: tf.Tensor) -> dict[int, str]:
        pairs = zip(codes, result.numpy(), strict=True)
        words = {code: value.decode() for code, value in pairs}
        return {c: word for c, word in words.items() if word != chr(c)}

    decomposed = tf_text.normalize_utf8(text, "NFD")
    stripped = changed(tf.strings.regex_replace(decomposed, r"\p{Mn}", ""))
    content = (
        _ranges(matching(rules.WHITESPACE_REGEX))
        + _ranges(matching(rules.PUNCTUATION_AND_CJK_REGEX))
        + _ranges(_joining(codes))
        + _map({c: w for c, w in stripped.items() if c not in _HANGUL})
        + _map(changed(tf_text.case_fold_utf8(text)))
    )
    packed = struct.pack(f">{len(content)}i", *content)
    PATH.write_bytes(gzip.compress(packed, mtime=0))


def _joining(codes: Iterable[int]) -> Iterator[int]:
    """Those that normalisation may merge with, or move before, another."""
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


def _map(entries: dict[int, str]) -> list[int]:
    rows: list[Sequence[int]] = [
        (code, len(word), *map(ord, word)) for code, word in entries.items()
    ]
    return [len(rows), *(number for row in rows for number in row)]


if __name__ == "__main__":
    main()
