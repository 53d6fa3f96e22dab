"""Change a task's examples, to give a student more to learn from."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfminilm import teachers
from tfminilm.data import cache
from tfminilm.data.augment import bilstm, tinybert, word_vectors
from tfminilm.data.augment.masked_words import MaskedWords
from tfminilm.data.augment.shards import shards
from tfminilm.errors import UserError
from tfminilm.tasks.encode import code_of, digest
from tfminilm.tasks.example import Example
from tfminilm.train.progress import Progress
from tfminilm.train.stage import NO_MODEL, DataSpec


def bilstm_copies(
    spec: DataSpec, examples: Sequence[Example], tokenizer: Any, seed: int
) -> list[Example]:
    """Return copies as Distilled BiLSTM makes them, without labels.

    Their masked words are the tokenizer's mask token.
    """
    how = bilstm.Augmentation(
        copies=spec.augment_copies, mask_token=tokenizer.mask_token
    )
    if not spec.replace_words:
        how = dataclasses.replace(how, replace_probability=0.0)
    return _examples(bilstm.augment([x.texts for x in examples], how, seed))


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """Hold what TinyBERT's augmentation takes words from.

    Attributes:
        masked: the masked language model; `None` for word vectors alone.
        backbone: its backbone, or the teacher's.
        tokenizer: the backbone's.
        glove: vectors from a file, or `None` for the backbone's own.
    """

    masked: keras.Model | None
    backbone: keras.Model
    tokenizer: Any
    glove: word_vectors.WordVectors | None

    @classmethod
    def load(
        cls,
        spec: DataSpec,
        teacher: str | os.PathLike,
        rules: str | None = None,
    ) -> "LanguageModel":
        """Load what a stage's data names.

        Args:
            spec: names them.
            teacher: the stage's; it stands in where a name is missing.
            rules: as of `load_tokenizer`.

        Raises:
            UserError: a model or file is not there, damaged, or of another
                kind.
        """
        glove = None
        if spec.word_vectors:
            glove = word_vectors.read_glove(spec.word_vectors)
        source = spec.masked_lm or teacher
        if source == NO_MODEL:
            return cls(
                None,
                teachers.load_backbone(teacher),
                teachers.load_tokenizer(teacher, rules),
                glove,
            )
        try:
            masked = teachers.load_masked_lm(source)
        except UserError as error:
            raise UserError(
                f"data.augmentation asks a masked language model for words: "
                f"{error}; name one in data.masked_lm, or set that to "
                f"{NO_MODEL!r} to take all words from word vectors"
            ) from error
        tokenizer = teachers.load_tokenizer(source, rules)
        return cls(masked, masked.backbone, tokenizer, glove)

    def identity(self) -> str:
        """Return a hash of what decides the words."""
        tokenizer = cache.tokenizer_identity(self.tokenizer)
        digest = hashlib.sha256(json.dumps(tokenizer).encode())
        digest.update(str(self.masked is None).encode())
        for weight in (self.masked or self.backbone).weights:
            digest.update(keras.ops.convert_to_numpy(weight).tobytes())
        if self.glove:
            digest.update(self.glove.vectors.tobytes())
            digest.update("\n".join(self.glove.words).encode())
        return digest.hexdigest()


def tinybert_copies(
    spec: DataSpec,
    examples: Sequence[Example],
    teacher: str | os.PathLike,
    seed: int,
    folder: pathlib.Path,
    progress: Progress,
    rules: str | None = None,
) -> Iterator[list[Example]]:
    """Yield copies as TinyBERT makes them, without labels, some at a time.

    They are written to shards, so that none is made twice.

    Args:
        spec: how many, and which models.
        examples: what they are copies of.
        teacher: where the stage's comes from.
        seed: of the chance.
        folder: in which the folder of the shards is.
        progress: told of the work.
        rules: as of `load_tokenizer`.
    """
    with progress.working("loading what gives other words"):
        model = LanguageModel.load(spec, teacher, rules)
    if model.glove and model.glove.skipped:
        progress.say(
            f"{spec.word_vectors}: {model.glove.skipped:,} broken lines skipped"
        )
    texts = [example.texts for example in examples]
    how = tinybert.Augmentation(copies=spec.augment_copies)

    @functools.cache
    def augmenter() -> tinybert.Augmenter:
        return _augmenter(model, texts, spec, how, seed)

    made = shards(
        folder / f"augmented-{_identity(model, texts, spec, how, seed)}",
        len(texts),
        lambda first, end: augmenter().augment(texts[first:end], first),
    )
    with progress.counting("augmenting", "copies") as count:
        done = 0
        for rows in made:
            done += len(rows)
            count(done)
            if rows:
                yield _examples(rows)


def _identity(
    model: LanguageModel,
    texts: Sequence[tuple[str, ...]],
    spec: DataSpec,
    how: tinybert.Augmentation,
    seed: int,
) -> str:
    """Return a hash of all that decides the copies."""
    folder = pathlib.Path(tinybert.__file__).parent
    parts = {
        "how": dataclasses.asdict(how),
        "seed": seed,
        "window": spec.sequence_length,
        "texts": digest(text for few in texts for text in (*few, "\0")),
        "model": model.identity(),
        "code": code_of(*map(str, sorted(folder.glob("*.py")))),
    }
    content = json.dumps(parts, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:32]


def _augmenter(
    model: LanguageModel,
    texts: Sequence[tuple[str, ...]],
    spec: DataSpec,
    how: tinybert.Augmentation,
    seed: int,
) -> tinybert.Augmenter:
    pieces = tinybert.spell((t for few in texts for t in few), model.tokenizer)
    vectors = model.glove
    if vectors is None:
        table = model.backbone.token_embedding.embeddings
        vectors = word_vectors.vectors_of_pieces(
            keras.ops.convert_to_numpy(table), model.tokenizer, pieces
        )
    masked = model.masked and MaskedWords(
        model.masked,
        model.tokenizer,
        how.num_candidates,
        spec.sequence_length,
    )
    return tinybert.Augmenter(pieces, vectors, masked, how, seed)


def _examples(rows: Sequence[Any]) -> list[Example]:
    return [Example(f"{number}-new", texts, None) for number, texts in rows]
