"""Writes `seqeval.json`: entities and scores as seqeval has them.

    python tests/golden/make_seqeval.py

It needs seqeval 1.2.2 (2020, its last release), and not this package. Tags are
drawn at random, so that most sequences break the rules of their scheme. Scores
and entities are those of its default mode. That knows no BILOU: there L and U
are given to it as E and S.
"""

import json
import pathlib
import random
import sys

GOLDEN = pathlib.Path(__file__).with_name("seqeval.json")
SCHEMES = {"bio": "BI", "bilou": "BILU", "bioes": "BIES"}
AS_BIOES = str.maketrans("LU", "ES")


def draw(prefixes, size, rng):
    tags = [f"{p}-{kind}" for p in prefixes for kind in ("PER", "a-b")]
    return [rng.choice(["O", "O", *tags]) for _ in range(size)]


def changed(tags, prefixes, rng):
    """Tags of which a fifth are others."""
    return [
        draw(prefixes, 1, rng)[0] if rng.random() < 0.2 else tag for tag in tags
    ]


def known(sequences):
    return [
        [tag.translate(AS_BIOES) if tag[1:2] == "-" else tag for tag in s]
        for s in sequences
    ]


def main():
    from seqeval import metrics
    from seqeval.metrics.sequence_labeling import get_entities

    rng = random.Random(0)
    cases = []
    for scheme, prefixes in SCHEMES.items():
        for _ in range(40):
            sizes = [rng.randint(1, 9) for _ in range(4)]
            true = [draw(prefixes, size, rng) for size in sizes]
            guess = [changed(tags, prefixes, rng) for tags in true]
            wanted, got = known(true), known(guess)
            cases.append(
                {
                    "scheme": scheme,
                    "true": true,
                    "guess": guess,
                    "chunks": [
                        [[first, last, kind] for kind, first, last in found]
                        for found in map(get_entities, wanted)
                    ],
                    "f1": float(metrics.f1_score(wanted, got)),
                    "precision": float(metrics.precision_score(wanted, got)),
                    "recall": float(metrics.recall_score(wanted, got)),
                }
            )
    lines = ",\n".join(json.dumps(case) for case in cases)
    GOLDEN.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    sys.exit(main())
