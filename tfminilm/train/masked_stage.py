"""Stages on masked text: models that name the tokens hidden from them."""

from typing import Any

import keras

from tfminilm import data
from tfminilm.data import masking, shards
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.teachers import masked_lm
from tfminilm.train.loop import Loop
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.text_stage import TextLoop, TextStage
from tfminilm.train.workdir import Workdir


class MaskedStage(TextStage):
    """Masked language models on packed text, masked anew in each epoch."""

    def load_teacher(self, source: Any, dtype: str) -> keras.Model:
        if getattr(self.recipe.method, "needs_teacher", True):
            return masked_lm.load_masked_lm(source, dtype)
        # It gives the vocabulary, and no head is asked of it.
        return masked_lm.build_masked_lm(super().load_teacher(source, dtype))

    def as_teacher(self, student: keras.Model) -> keras.Model:
        if not hasattr(student, "masked_lm_head"):
            raise UserError(
                f"{self.recipe.teacher} has no masked-language-model head, "
                f"which {type(self.recipe.method).__name__} needs: distil it "
                "with a method that trains one, such as MLMKD"
            )
        return student

    def with_head(
        self, backbone: keras.Model, teacher: keras.Model
    ) -> keras.Model:
        student = self._build(backbone)
        if self.recipe.student.init != "random":
            masked_lm.copy_head(student, teacher)
        return student

    def read(
        self, teacher: Any, tokenizer: Any, folder: Workdir, progress: Progress
    ) -> None:
        spec = self.recipe.data
        self.masking: masking.Masks = masking.Masking.of(
            tokenizer, spec.mask_rate, spec.whole_words
        )
        self.pairs = None
        if self.recipe.method.reads == "masked_pairs":
            self.pairs = data.SentencePairs.of(tokenizer)
        super().read(teacher, tokenizer, folder, progress)
        train = self.text.train
        if isinstance(train, shards.MaskedText):
            # Masked when they were prepared, and so not here.
            has_pairs = self.pairs is not None
            self.masking = train.layout(
                spec.mask_rate, spec.whole_words, has_pairs
            )
            self.pairs = None

    def loop(
        self, folder: Workdir, distiller: Distiller, progress: Progress
    ) -> Loop:
        return _MaskedLoop(
            self.recipe,
            folder,
            distiller,
            self.text,
            progress,
            self.masking,
            self.pairs,
        )

    def plain(self, student: keras.Model) -> keras.Model:
        plain = self._build(super().plain(student.backbone))
        plain.set_weights(student.get_weights())
        return plain

    def load(self, path: Any) -> keras.Model:
        return masked_lm.load_masked_lm(path)

    def _build(self, backbone: keras.Model) -> keras.Model:
        return masked_lm.build_masked_lm(
            backbone, next_sentence=self.recipe.method.reads == "masked_pairs"
        )


class _MaskedLoop(TextLoop):
    """Distils on packed text with some of its tokens masked."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Workdir,
        distiller: Distiller,
        text: data.TextData,
        progress: Progress,
        masking: masking.Masks,
        pairs: data.SentencePairs | None,
    ):
        self.masking = masking
        self.pairs = pairs
        super().__init__(recipe, folder, distiller, text, progress)

    def batches(self, first: int, count: int) -> Any:
        return masking.masked_dataset(
            _records(self.text.train),
            self.batch_size,
            self.seed,
            first,
            count,
            self.masking,
            self.pairs,
        )

    def held_out_batches(self, count: int) -> list[Any]:
        return masking.masked_held_out_batches(
            _records(self.text.held_out),
            self.batch_size,
            self.masking,
            self.seed,
            count,
            self.pairs,
        )


def _records(text: data.PackedText) -> data.PackedText:
    """The text as its masking wants it: with its copies, if it has any."""
    return text.records if isinstance(text, shards.MaskedText) else text
