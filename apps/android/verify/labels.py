"""Small bundles of models with several labels, and of tagged texts.

Their vocabulary has a few words and all letters, so that a bundle takes a few
seconds and kilobytes. What Python's `tfminilm.load(...).predict` makes of texts
with them is what the app's classes have to make.
"""

import json
import pathlib
import random
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfminilm.tasks.settings import Settings

NAMES = ("multi_label", "tagged")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    "a ann bad berlin film good in is lives not paris the this very".split()
)
_LENGTHS = (16, 48)
# All that tags begin with but BILOU's L and U, which are read as E and S.
_TAGS = (
    "O",
    *(f"{prefix}-{kind}" for kind in ("LOC", "PER") for prefix in "BIES"),
)
_LABELS = ("film", "place", "person", "praise", "blame", "other")
# Emoji of one and of several characters, marks on letters, other scripts,
# surrogate pairs, marks that are pieces of others, and blanks of all kinds.
_PARTS = (
    *("Ann", "Berlin", "ann's", "re-read", "U.S.A.", "x_y", "1990s", "don't"),
    *(
        "\U0001f600",
        "\U0001f469\u200d\U0001f4bb",
        "\U0001f1e9\U0001f1ea",
        "\u2764\ufe0f",
    ),
    *(
        "a\u0301nn",
        "caf\u00e9",
        "\u5317\u4eac\u5e02",
        "\uc11c\uc6b8\uc5d0\uc11c",
        "\u0e01\u0e23\u0e38\u0e07",
    ),
    *(
        "\U0001d400\U0001d401",
        "\u041c\u043e\u0441\u043a\u0432\u0430",
        "\u00df\u00df",
        "\ufb01lm",
        "\u00bd",
    ),
    *(
        "...",
        "!?",
        "(in)",
        '"very"',
        "\u2014",
        "\u00a0",
        "\u2028",
        "\u200b",
        "\u3000",
        "\t",
        "\n",
    ),
    *("\x1c", "\x1f", "\x85", "\ufeff", "\u0300", "\u0903"),
)


def texts(count: int, seed: int = 0) -> list[str]:
    """Return texts that are short or of several windows, none of them blank."""
    source = random.Random(seed)
    choices = (*_PARTS, *_WORDS, *_WORDS)
    rows = []
    for index in range(count):
        size = 1 + index % 12 if index % 5 else source.randint(40, 120)
        words = [source.choice(choices) for _ in range(size)]
        text = source.choice((" ", "", "  ")).join(words)
        rows.append(text if text.strip() else f"a{text}")
    return rows


def write(folder: pathlib.Path) -> None:
    """Write the bundles, each in a folder with its name."""
    import keras

    from tfminilm.tasks.head_models import (
        SIGMOID,
        TokenClassifier,
        text_classifier,
    )
    from tfminilm.tasks.settings import Settings

    keras.utils.set_random_seed(0)
    tokenizer, backbone = _bert()
    length = max(_LENGTHS)
    limits = (0.3, 0.5, 0.5, 0.7, 0.1, 0.9)
    several = Settings(
        *("made_up", "multi_label", _LABELS, length), thresholds=limits
    )
    tagged = Settings("made_up", "token_classification", _TAGS, length)
    models: dict[str, tuple[Any, Settings]] = {
        "multi_label": (
            text_classifier(backbone, len(_LABELS), 0.0, SIGMOID),
            several,
        ),
        "tagged": (TokenClassifier(backbone, len(_TAGS), 0.0), tagged),
    }
    for name, (model, settings) in models.items():
        _export(model, tokenizer, settings, folder / name)


def _export(
    model: Any, tokenizer: Any, settings: "Settings", folder: pathlib.Path
) -> None:
    from bundles import randomise

    from tfminilm.export.bundle.writer import export_bundle
    from tfminilm.export.target import Target

    randomise(model)
    target = Target(
        name="test",
        precision="float32",
        lengths=_LENGTHS,
        max_difference=10.0,
        min_cosine=0.0,
        min_agreement=0.0,
    )
    export_bundle(
        *(model, tokenizer, target, folder),
        texts=[(text,) for text in texts(16, seed=1)],
        settings=settings,
        description="Random weights, for tests.",
    )


def _bert() -> tuple[Any, Any]:
    import keras_hub

    letters = [x for c in string.ascii_lowercase for x in (c, f"##{c}")]
    others = [*"0123456789.,!?'()-\"\u5317\u4eac", "\U0001f600"]
    vocabulary = list(dict.fromkeys([*_SPECIAL, *_WORDS, *letters, *others]))
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=vocabulary, lowercase=True
    )
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=max(_LENGTHS),
    )
    return tokenizer, backbone


def write_golden(
    bundle: pathlib.Path, rows: Sequence[str], output: pathlib.Path
) -> None:
    """Write JSON lines of `text`, and its labels or its entities.

    Places are those of UTF-16, in which Kotlin counts.
    """
    import tfminilm

    model = tfminilm.load(str(bundle))
    with output.open("w", encoding="utf-8") as file:
        for text, found in zip(rows, model.predict(rows), strict=True):
            row: dict[str, Any] = {"text": text}
            if hasattr(found, "entities"):
                row["entities"] = [
                    [
                        _utf16(text, one.start),
                        _utf16(text, one.end),
                        one.label,
                        one.score,
                    ]
                    for one in found.entities
                ]
            else:
                row |= {
                    "labels": found.labels,
                    "scores": [*found.scores.values()],
                }
            file.write(json.dumps(row) + "\n")


def _utf16(text: str, place: int) -> int:
    return len(text[:place].encode("utf-16-le")) // 2
