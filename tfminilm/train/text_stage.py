"""Stages on packed text: backbones, and sequences of one length."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfminilm import data, teachers
from tfminilm.data import packing, shards
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.train.loop import Loop
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.workdir import Workdir

_MUCH_UNKNOWN, _MOST_UNKNOWN = 0.02, 0.2
# Sequences to look at.
_SAMPLE = 1000


class TextStage:
    """What a stage on text needs of models and data."""

    reads_pairs = False

    def __init__(self, recipe: Recipe):
        self.recipe = recipe

    def check_data(self, teacher: Any) -> None:
        """Looks for what `read` needs beside the data, before any training.

        Args:
            teacher: where the stage's comes from.

        Raises:
            UserError: it is not there.
        """

    def load_teacher(self, source: Any, dtype: str) -> keras.Model:
        """The teacher out of `source`."""
        return teachers.load_backbone(source, dtype)

    def as_teacher(self, student: keras.Model) -> keras.Model:
        """An earlier stage's student as `load_teacher` would load it.

        Raises:
            UserError: it is none for this stage.
        """
        return getattr(student, "backbone", student)

    def with_head(
        self, backbone: keras.Model, teacher: keras.Model
    ) -> keras.Model:
        """What is trained of a student: here the backbone itself."""
        return backbone

    def read(
        self, teacher: Any, tokenizer: Any, folder: Workdir, progress: Progress
    ) -> None:
        """Reads the data.

        Args:
            teacher: where the stage's comes from.
            tokenizer: the teacher's.
            folder: the run's, for what is kept.
            progress: told of the work.

        Raises:
            UserError: it is missing, broken or too little.
        """
        spec = self.recipe.data
        if spec.source.startswith(shards.PREFIX):
            with progress.counting("comparing checksums", "bytes") as count:
                self.text = shards.open_shards(
                    spec.source.removeprefix(shards.PREFIX),
                    tokenizer,
                    spec.sequence_length,
                    max_tokens=spec.max_tokens,
                    progress=count,
                )
        else:
            with progress.counting("reading text", "tokens") as count:
                self.text = data.text_data(
                    spec.source,
                    tokenizer,
                    spec.sequence_length,
                    seed=self.recipe.seed,
                    held_out_fraction=spec.held_out_fraction,
                    cache_dir=folder.text,
                    max_tokens=spec.max_tokens,
                    progress=count,
                )
        _require_known(self.text.train, tokenizer, spec.source, progress)

    def used_ids(self) -> Any:
        """The token ids that occur in what is trained on."""
        return np.unique(self.text.train.token_ids)

    def sentences(self) -> list[str]:
        """Texts that are not trained on."""
        return self.text.held_out_sentences

    def loop(
        self, folder: Workdir, distiller: Distiller, progress: Progress
    ) -> Loop:
        """What trains."""
        return TextLoop(self.recipe, folder, distiller, self.text, progress)

    def plain(self, student: keras.Model) -> keras.Model:
        """The student in float32, whatever it was trained in."""
        config = student.get_config() | {"dtype": "float32"}
        plain = type(student).from_config(config)
        plain.set_weights(student.get_weights())
        return plain

    def load(self, path: Any) -> keras.Model:
        """The student that `save` wrote."""
        return teachers.load_backbone(path)

    def save(self, student: keras.Model, tokenizer: Any, path: Any) -> None:
        """Writes a plain student as a KerasHub preset."""
        student.save_to_preset(str(path))
        tokenizer.save_to_preset(str(path))


def _require_known(
    text: data.PackedText, tokenizer: Any, source: str, progress: Progress
) -> None:
    """Raises `UserError` if the vocabulary cannot spell a fifth of the text."""
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


class TextLoop(Loop):
    """Distils on packed text, all sequences of one length."""

    doing = "distilling"

    def __init__(
        self,
        recipe: Recipe,
        folder: Workdir,
        distiller: Distiller,
        text: data.TextData,
        progress: Progress,
    ):
        spec = recipe.train
        super().__init__(spec, folder, distiller, distiller.student, progress)
        self.variables = [
            *distiller.own_variables,
            *distiller.optimizer.variables,
        ]
        self.seed = recipe.seed
        self.text = text
        count = math.ceil(spec.held_out_sequences / self.batch_size)
        self.held_out = self.held_out_batches(count)

    def batches(self, first: int, count: int) -> Any:
        return data.dataset(
            self.text.train, self.batch_size, self.seed, first, count
        )

    def held_out_batches(self, count: int) -> list[Any]:
        """Up to `count` batches to evaluate on, as `fit` takes them."""
        found = data.held_out_batches(
            self.text.held_out, self.batch_size, count
        )
        return [(inputs,) for inputs in found]

    def whole_numbers(self) -> Iterator[np.ndarray]:
        # Who is in the first batch depends on how many sequences there are.
        first = next(iter(self.batches(0, 1)))
        for array in keras.tree.flatten([first, self.held_out]):
            if np.issubdtype(np.asarray(array).dtype, np.integer):
                yield np.asarray(array)

    def tokens(self, batch: int) -> int:
        return self.batch_size * self.text.train.sequence_length

    def losses(self, step: int, num_batches: int | None) -> dict[str, float]:
        row = self.means(self.held_out[:num_batches])
        self.require_finite(row, f"on held-out text after step {step}")
        return row
