"""Writes tables of characters: `python characters.py`.

What counts as a space, as a word of its own, as an accent, and how a character
is folded is asked of the operations that the training's tokenizers are made of
(Hugging Face's for BERT's rules; KerasHub's patterns and TensorFlow Text for
KerasHub's), so that a phone's version of Unicode does not matter.

The Android library has a file for each setting of a tokenizer
(`character_pages`), the web page one for all of them (`character_lists`).
"""

import itertools
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import character_lists
import character_pages
import modules
from character_pages import Rules

ANDROID = modules.RESOURCES / "org" / "tfminilm"
WEB = pathlib.Path(__file__).parents[3] / "tfminilm" / "web" / "page"
_JAMO = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]
_CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def main() -> None:
    """Write the files."""
    write(ANDROID, WEB)


def write(android: pathlib.Path, web: pathlib.Path) -> None:
    """Write the Android library's tables and the web page's into folders."""
    for rules in (_bert(), _keras_hub()):
        for setting in itertools.product((False, True), repeat=2):
            character_pages.write(android, rules, *setting)
        character_lists.write(web, rules)


def _bert() -> Rules:
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
    return Rules(
        name="bert",
        spaces={c for c in _CODES if clean[c] == " "},
        alone={
            c for c in kept if c in chinese or len(split(f"a{chr(c)}b")) == 3
        },
        dropped={c for c in _CODES if not clean[c]},
        joining={*marks, *barriers},
        stripped=_changed(stripped),
        folded=_changed(lowered),
        classes=marks,
    )


_OPTIONS = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")


def _keras_hub() -> Rules:
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
    return Rules(
        name="keras_hub",
        spaces={*matching(rules.WHITESPACE_REGEX)},
        alone={*matching(rules.PUNCTUATION_AND_CJK_REGEX)},
        dropped=set(),
        joining={*_joining(_CODES)},
        stripped=_changed(words(stripped)),
        folded=_changed(words(tf_text.case_fold_utf8(text))),
        classes={},
    )


def _changed(words: Mapping[int, str]) -> dict[int, str]:
    return {code: word for code, word in words.items() if word != chr(code)}


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


if __name__ == "__main__":
    main()
