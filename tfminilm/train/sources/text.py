"""Open packed text: sequences of one length, plain or with masked tokens."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfminilm import data
from tfminilm.data import masking, packing, shards
from tfminilm.errors import UserError
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.training_data import Batch, TrainingData
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

_MUCH_UNKNOWN, _MOST_UNKNOWN = 0.02, 0.2
# Sequences to look at.
_SAMPLE = 1000
# Sequences whose tokens are counted at a time.
_BLOCK = 65_536


def packed_text(
    recipe: Recipe, tokenizer: Tokenizer, folder: Workdir, progress: Progress
) -> TrainingData:
    """Open the text of a stage.

    Args:
        recipe: names the text.
        tokenizer: the teacher's.
        folder: the run's, where token ids are kept.
        progress: told of the work.

    Raises:
        UserError: the text is missing, broken or too little.
    """
    text = _read(recipe, tokenizer, folder, progress)
    size, seed = recipe.train.microbatch_size, recipe.seed
    held_out = data.held_out_batches(text.held_out, size, _num_held_out(recipe))
    return _training_data(
        text,
        functools.partial(data.dataset, text.train, size, seed),
        [(inputs,) for inputs in held_out],
        size,
    )


def masked_text(
    recipe: Recipe, tokenizer: Tokenizer, folder: Workdir, progress: Progress
) -> TrainingData:
    """Open the text of a stage, its tokens masked anew in each epoch.

    Args:
        recipe: names the text; and so on, as `packed_text` has them.

    Raises:
        UserError: the text is missing, broken or too little, or it cannot be
            masked so.
    """
    spec = recipe.data
    own = masking.Masking.of(tokenizer, spec.mask_rate, spec.whole_words)
    masks: masking.Masks
    pairs = None
    if recipe.method.reads == "masked_pairs":
        pairs = data.SentencePairs.of(tokenizer)
    text = _read(recipe, tokenizer, folder, progress)
    if isinstance(text.train, shards.MaskedText):
        # Masked when they were prepared, and so not here.
        _require_plain(recipe)
        masks = text.train.layout(
            spec.mask_rate, spec.whole_words, pairs is not None
        )
        pairs = None
    else:
        masks = _masking(own, recipe, text.train)
    size, seed = recipe.train.microbatch_size, recipe.seed
    records = _records(text.train)

    def batches(first: int, count: int) -> "tf.data.Dataset":
        return masking.masked_dataset(
            records, size, seed, first, count, masks, pairs
        )

    held_out = masking.masked_held_out_batches(
        _records(text.held_out),
        size,
        masks,
        seed,
        _num_held_out(recipe),
        pairs,
    )
    return _training_data(text, batches, held_out, size)


def _masking(
    masks: masking.Masking, recipe: Recipe, text: data.PackedText
) -> masking.Masking:
    """Return the masking of a stage, which may depend on its text."""
    chances, spec = None, recipe.data
    if spec.mask_smoothing:
        size = len(masks.is_special)
        counts = np.zeros(size, np.int64)
        for first in range(0, len(text), _BLOCK):
            ids = np.asarray(text.token_ids[first : first + _BLOCK])
            counts += np.bincount(ids.ravel(), minlength=size)
        chances = masking.smoothed_chances(counts, spec.mask_smoothing)
    return dataclasses.replace(
        masks, chances=chances, at_all=_reads_all(recipe)
    )


def _reads_all(recipe: Recipe) -> bool:
    """Tell whether the method needs the logits of all tokens."""
    return getattr(recipe.method, "all_tokens", False)


def _require_plain(recipe: Recipe) -> None:
    """Refuse shards that were masked in advance where their masks do not do."""
    for name, asked in (
        ("data.mask_smoothing", recipe.data.mask_smoothing),
        ("method.all_tokens", _reads_all(recipe)),
    ):
        if asked:
            raise UserError(
                f"recipe: {name} is {asked}, but the shards of "
                f"{recipe.data.source} were masked when they were prepared: "
                "prepare shards without --masked_copies, or leave it out"
            )


def _read(
    recipe: Recipe, tokenizer: Tokenizer, folder: Workdir, progress: Progress
) -> data.TextData:
    spec = recipe.data
    if spec.source.startswith(shards.PREFIX):
        with progress.counting("comparing checksums", "bytes") as count:
            text = shards.open_shards(
                spec.source.removeprefix(shards.PREFIX),
                tokenizer,
                spec.sequence_length,
                max_tokens=spec.max_tokens,
                progress=count,
            )
    else:
        with progress.counting("reading text", "tokens") as count:
            text = data.text_data(
                spec.source,
                tokenizer,
                spec.sequence_length,
                seed=recipe.seed,
                held_out_fraction=spec.held_out_fraction,
                cache_dir=folder.text,
                max_tokens=spec.max_tokens,
                progress=count,
            )
    _require_known(text.train, tokenizer, spec.source, progress)
    return text


def _require_known(
    text: data.PackedText,
    tokenizer: Tokenizer,
    source: str,
    progress: Progress,
) -> None:
    """Raise `UserError` if the vocabulary cannot spell a fifth of the text."""
    unknown = packing.unknown_id(tokenizer)
    if unknown is None:
        return
    sample = text.token_ids[:: max(1, len(text) // _SAMPLE)]
    share = float(np.mean(sample == unknown))
    told = f"{share:.0%} of the tokens of {source} are unknown to the teacher"
    if share > _MOST_UNKNOWN:
        raise UserError(
            f"{told}: its vocabulary lacks their characters; expected text in "
            "its languages, or a teacher of this text's, such as XLM-R"
        )
    if share > _MUCH_UNKNOWN:
        progress.say(told)


def _num_held_out(recipe: Recipe) -> int:
    """Count the batches to evaluate on."""
    spec = recipe.train
    return math.ceil(spec.held_out_sequences / spec.microbatch_size)


def _records(text: data.PackedText) -> data.PackedText:
    """Return the text as its masking wants it: with its copies, if any."""
    return text.records if isinstance(text, shards.MaskedText) else text


def _training_data(
    text: data.TextData,
    batches: "Callable[[int, int], tf.data.Dataset]",
    held_out: Sequence[Batch],
    batch_size: int,
) -> TrainingData:
    def whole_numbers() -> Iterable[np.ndarray]:
        # Who is in the first batch depends on how many sequences there are.
        first = next(iter(batches(0, 1)))
        for array in keras.tree.flatten([first, held_out]):
            if np.issubdtype(np.asarray(array).dtype, np.integer):
                yield np.asarray(array)

    tokens = batch_size * text.train.sequence_length
    return TrainingData(
        batches=batches,
        num_tokens=lambda batch: tokens,
        probe=held_out[0],
        used_ids=lambda: np.unique(text.train.token_ids),
        whole_numbers=whole_numbers,
        held_out=held_out,
        held_out_name="held-out text",
        sentences=text.held_out_sentences,
    )
