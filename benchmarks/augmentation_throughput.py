"""Words a second of the masked language model in TinyBERT's augmentation.

    python benchmarks/augmentation_throughput.py [--data_dir=GLUE]

Words of SST-2's training sentences, or of Python's documentation, are masked
one by one and the 15 likeliest words asked for: by one call of the model for
each, `model(inputs)`; by one compiled call for each; and in full batches, as
the augmentation does it. The model is all-MiniLM-L6-v2 with a head of random
weights, which are of no matter to the time, or --model, with its own.
"""

import functools
import itertools

import _shared
import numpy as np
from keras import ops

from tfminilm import data, teachers
from tfminilm.data.augment.masked_words import MaskedWords
from tfminilm.tasks.encode import tokens_of
from tfminilm.tasks.task import get_task
from tfminilm.train.score import Data

COUNT, WINDOW = 15, 64


def main() -> None:
    """Time the three ways in turns and print the table."""
    options = _options()
    tokenizer = teachers.load_tokenizer(options.model)
    if options.model == _shared.TEACHER:
        backbone = teachers.load_backbone(_shared.TEACHER)
        model = teachers.build_masked_lm(backbone)
    else:
        model = teachers.load_masked_lm(options.model)
    texts = _texts(options, tokenizer)
    places = _places(texts)[: options.words]
    few = places[: options.calls]
    alone, together = (
        MaskedWords(model, tokenizer, COUNT, WINDOW, batch_size=size)
        for size in (1, 64)
    )
    ways = {
        "model(inputs) for each word": (
            lambda: _call_each(model, tokenizer, texts, few),
            len(few),
        ),
        "a compiled call for each word": (
            lambda: alone.likeliest(texts, few),
            len(few),
        ),
        "full batches": (
            lambda: together.likeliest(texts, places),
            len(places),
        ),
    }
    measures = {
        name: functools.partial(_rate, run, count)
        for name, (run, count) in ways.items()
    }
    rates = _shared.in_turns(measures, options.rounds)
    _shared.show(_table(rates, texts, places, options), 80)


def _texts(options, tokenizer):
    """Return token ids of sentences."""
    if options.data_dir:
        examples = Data(options.data_dir).read(get_task("sst2"), "train")
        found = [text for example in examples for text in example.texts]
    else:
        documents = itertools.islice(data.documents("docs"), 200)
        found = [text for document in documents for text in document]
    # Not the first ones: other texts of SST-2 are parts of those before.
    random = np.random.default_rng(0)
    chosen = [found[i] for i in random.permutation(len(found))[:2_000]]
    ids, sizes = tokens_of(chosen, tokenizer)
    return np.split(ids, np.cumsum(sizes)[:-1])


def _places(texts):
    """Return all tokens within the window, in an order of chance."""
    found = [
        (text, place)
        for text, ids in enumerate(texts)
        for place in range(min(len(ids), WINDOW - 2))
    ]
    order = np.random.default_rng(1).permutation(len(found))
    return [found[index] for index in order]


def _call_each(model, tokenizer, texts, places):
    for text, place in places:
        ids = texts[text][: WINDOW - 2].copy()
        ids[place] = tokenizer.mask_token_id
        row = np.array(
            [[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]], "int32"
        )
        batch = {
            "token_ids": row,
            "segment_ids": np.zeros_like(row),
            "padding_mask": np.ones_like(row),
            "mask_positions": np.array([[place + 1]], "int32"),
        }
        logits = model({name: batch[name] for name in model.input})
        ops.convert_to_numpy(ops.top_k(logits[0, 0], COUNT)[1])


def _rate(run, count):
    return count / _shared.seconds(run)


def _table(rates, texts, places, options):
    titles = ("words a second", "fastest", "gain of batches")
    shown = _shared.table([""], titles)
    middle = {name: float(np.median(found)) for name, found in rates.items()}
    batches = middle["full batches"]
    for name, found in rates.items():
        shown.add_row(
            name,
            f"{middle[name]:,.1f}",
            f"{max(found):,.1f}",
            f"{batches / middle[name]:.1f}x",
        )
    length = np.mean([len(texts[text]) for text, _ in places]) + 2
    shown.caption = (
        f"{options.model}; {options.data_dir or 'docs'}; medians of "
        f"{options.rounds} rounds of {options.calls} words by single calls "
        f"and {len(places)} in batches, {length:.0f} tokens on average; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__)
    parser.add_flags(model=_shared.TEACHER)
    parser.add_argument("--data_dir", help="GLUE's own files; docs without")
    parser.add_argument("--words", type=int, default=2_048, help="in batches")
    parser.add_argument("--calls", type=int, default=32, help="single ones")
    parser.add_flags(rounds=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
