"""Stages on examples: a task's, or single sentences, of any length."""

import functools
import heapq
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfminilm import teachers
from tfminilm.data import corpus
from tfminilm.data.sentences import is_prose
from tfminilm.data.text import is_held_out, place
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.tasks import heads, windows
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encode import Encoded, encode, join
from tfminilm.tasks.evaluate import evaluate
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import kind_of, kind_of_head
from tfminilm.tasks.readers.csv_file import csv_task
from tfminilm.tasks.sample import sample
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.train import augmented, smoke
from tfminilm.train.finetune import TaskLoop
from tfminilm.train.loop import Loop
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe
from tfminilm.train.score import Data, require_labels
from tfminilm.train.text_stage import TextStage
from tfminilm.train.workdir import Workdir

_MOST_SENTENCES = 256
# Examples of no task: single texts, and nothing to say of them.
_TEXTS = Task("sentences", "classification", metrics=(), files=())


class SentenceStage(TextStage):
    """Backbones on sentences, each a sequence of its own."""

    task = _TEXTS

    def read(
        self, teacher: Any, tokenizer: Any, folder: Workdir, progress: Progress
    ) -> None:
        with progress.working("reading examples"):
            train, self.held_out = self._examples()
        with progress.working("encoding examples"):
            encoded, held_out = (
                self._encoded(examples, tokenizer, folder)
                for examples in (train, self._scored())
            )
        copies = list(self._copies(train, teacher, tokenizer, folder, progress))
        if self.recipe.data.augment_copies and not copies:
            progress.say("augmenting: 0 copies, as no text has words to change")
        encoded = join([encoded, *copies])
        spec = self.recipe.train
        size = spec.batch_size // spec.gradient_accumulation
        buckets = folder.team.buckets(self.recipe.data.sequence_length)
        self.batches = Batches(encoded, size, self.recipe.seed, buckets)
        self.held_out_batches = Batches(held_out, size, buckets=buckets)
        progress.say(
            f"{self.task.name}: {len(encoded):,} sequences, "
            f"{len(self.batches):,} batches an epoch"
        )

    def used_ids(self) -> Any:
        return np.unique(self.batches.encoded.token_ids)

    def sentences(self) -> list[str]:
        texts = {
            text for example in self.held_out for text in texts_of(example)
        }
        # In an order by chance: exports take the first ones.
        order = sorted(texts, key=lambda x: (place(x, self.recipe.seed), x))
        return order[:_MOST_SENTENCES]

    def loop(
        self, folder: Workdir, distiller: Distiller, progress: Progress
    ) -> Loop:
        return _ExampleLoop(self, folder, distiller, progress)

    def score(self, student: keras.Model) -> dict[str, float]:
        """What the student scores on the examples held out."""
        return {}

    def _copies(
        self,
        examples: list,
        teacher: Any,
        tokenizer: Any,
        folder: Workdir,
        progress: Progress,
    ) -> Iterator[Encoded]:
        """Changed copies of the examples, some at a time: here none."""
        return iter(())

    def _examples(self) -> tuple[list, list]:
        """Those to train on, and those of the documents held out."""
        spec = self.recipe.data
        train: list[Example] = []
        held_out: list[Example] = []
        for number, (text, is_out) in self._drawn():
            part = held_out if is_out else train
            part.append(Example(str(number), (text,), None))
        if not train or not held_out:
            raise UserError(
                f"{spec.source} has {len(train)} sentences to train on and "
                f"{len(held_out)} in documents held out, expected some of "
                "both: give more text or a larger data.held_out_fraction"
            )
        return train, held_out

    def _drawn(self) -> list[tuple[int, tuple[str, bool]]]:
        """`data.max_examples` of the numbered sentences, from all over."""
        most, numbered = self.recipe.data.max_examples, enumerate(self._read())
        if not most:
            return list(numbered)
        chosen = heapq.nsmallest(
            most, numbered, key=lambda pair: place(str(pair[0]), 0)
        )
        return sorted(chosen)

    def _read(self) -> Iterator[tuple[str, bool]]:
        """Sentences, and whether their document is held out."""
        spec = self.recipe.data
        for document in corpus.documents(spec.source):
            is_out = is_held_out(
                document, self.recipe.seed, spec.held_out_fraction
            )
            for text in filter(is_prose, document):
                yield text, is_out

    def _scored(self) -> list:
        """Picks the examples held out that the loss is measured on."""
        return sample(self.held_out, self.recipe.train.held_out_sequences)

    def _encoded(
        self, examples: list, tokenizer: Any, folder: Workdir
    ) -> Encoded:
        length = self.recipe.data.sequence_length
        return encode(self.task, examples, tokenizer, length, folder.text)


class TaskTextStage(SentenceStage):
    """Backbones on the texts of a task."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.task = _task(recipe.data)
        self.reads_pairs = len(self.task.texts) == 2
        if self.task.train_split is None or not self.task.eval_splits:
            raise UserError(
                f"recipe: data.source is {recipe.data.source}, which has no "
                "examples of its own to train on"
            )
        is_augmentable = kind_of(self.task).is_augmentable
        if recipe.data.augment_copies and not is_augmentable:
            raise UserError(
                f"recipe: data.augment_copies is {recipe.data.augment_copies}, "
                f"but changed words would be no answers to {self.task.name}: "
                "expected 0"
            )

    def check_data(self, teacher: Any) -> None:
        spec = self.recipe.data
        if spec.augment_copies and spec.augmentation == "tinybert":
            augmented.LanguageModel.load(spec, teacher)

    def _examples(self) -> tuple[list, list]:
        task = self.task
        train, held_out = (
            self._split(split)
            for split in (task.train_split or "train", task.eval_splits[0])
        )
        return train, held_out

    def _copies(
        self,
        examples: list,
        teacher: Any,
        tokenizer: Any,
        folder: Workdir,
        progress: Progress,
    ) -> Iterator[Encoded]:
        spec, seed = self.recipe.data, self.recipe.seed
        if not spec.augment_copies:
            return
        if spec.augmentation == "tinybert":
            given = spec, examples, teacher, seed, folder.text, progress
            rules = folder.tokenizer_rules()
            for copies in augmented.tinybert_copies(*given, rules):
                yield self._encoded(copies, tokenizer, folder)
            return
        copies = augmented.bilstm_copies(spec, examples, tokenizer, seed)
        if not copies:
            return
        # Their masked words are one token each.
        tokenizer.special_tokens_in_strings = True
        try:
            encoded = self._encoded(copies, tokenizer, folder)
        finally:
            tokenizer.special_tokens_in_strings = False
        yield encoded

    def _split(self, split: str) -> list:
        spec = self.recipe.data
        if spec.folder == teachers.TINY:
            return smoke.examples(self.task)
        return Data(spec.folder or None, None, spec.max_examples).read(
            self.task, split
        )

    def _encoded(
        self, examples: list, tokenizer: Any, folder: Workdir
    ) -> Encoded:
        return kind_of(self.task).encode(
            self.task, examples, tokenizer, self._settings(), folder.text
        )

    def _settings(self) -> Settings:
        length = self.recipe.data.sequence_length
        stride = min(windows.DOC_STRIDE, length // 3)
        return Settings.of(self.task, length, stride)


class TaskStage(TaskTextStage):
    """Models with heads on a task: a fine-tuned teacher and its student."""

    def load_teacher(self, source: Any, dtype: str) -> keras.Model:
        if teachers.is_tiny(source):
            backbone = teachers.load_backbone(source, dtype)
            return heads.build_head(self.task, backbone)
        folder = teachers.resolve(source)
        head = heads.load_head(folder)
        heads.check_head(self.task, head, str(source))
        require_labels(self.task, Settings.load(folder), source)
        return heads.plain(head, dtype)

    def as_teacher(self, student: keras.Model) -> keras.Model:
        name = self.recipe.teacher
        if kind_of_head(student) is None:
            raise UserError(
                f"{name} gives another head than {self.task.name} asks for: "
                "distil it on that task"
            )
        heads.check_head(self.task, student, name)
        return student

    def with_head(
        self, backbone: keras.Model, teacher: keras.Model
    ) -> keras.Model:
        spec = self.recipe.student
        student = heads.build_head(self.task, backbone, spec.dropout)
        kind_of(self.task).init_head(student, teacher)
        return student

    def read(
        self, teacher: Any, tokenizer: Any, folder: Workdir, progress: Progress
    ) -> None:
        super().read(teacher, tokenizer, folder, progress)
        self._tokenizer, self._cache = tokenizer, folder.text
        has_labels = bool(self.batches.encoded.labels)
        if not has_labels and not self.recipe.data.augment_copies:
            raise UserError(
                f"{self.task.name}: its training examples have no labels"
            )

    def score(self, student: keras.Model) -> dict[str, float]:
        if not kind_of(self.task).is_scored_in_training:
            return {}
        return evaluate(
            self.task,
            student,
            self._tokenizer,
            self.held_out,
            self._settings(),
            self._cache,
        ).metrics

    def plain(self, student: keras.Model) -> keras.Model:
        return heads.plain(student)

    def load(self, path: Any) -> keras.Model:
        return heads.load_head(path)

    def save(self, student: keras.Model, tokenizer: Any, path: Any) -> None:
        super().save(student, tokenizer, path)
        self._settings().save(path)


def _task(spec: DataSpec) -> Task:
    """The benchmark, or a task made of a user's own file.

    Raises:
        UserError: there is no such benchmark, or the file is not as it
            should be.
    """
    path = spec.task.removeprefix("csv:")
    if path == spec.task:
        return get_task(spec.task)
    columns = [name.strip() for name in spec.text_columns.split(",") if name]
    if not columns:
        raise UserError(
            f"recipe: data.source is {spec.source}: expected the columns of "
            "its text in data.text_columns=A or A,B, and in "
            "data.label_column=C what to predict"
        )
    return csv_task(
        path,
        columns,
        spec.label_column or None,
        # Without labels a class and a score are one.
        spec.label_kind if spec.label_column else "regression",
        eval_path=spec.eval_file or None,
    )


def texts_of(example: Any) -> tuple[str, ...]:
    """The texts of an example of any task."""
    if hasattr(example, "texts"):
        return example.texts
    return (example.question,)


class _ExampleLoop(TaskLoop):
    """Distils on examples."""

    doing = "distilling"
    split = "held_out"

    def __init__(
        self,
        stage: SentenceStage,
        folder: Workdir,
        distiller: Distiller,
        progress: Progress,
    ):
        student = distiller.student
        super().__init__(
            stage.recipe.train,
            folder,
            distiller,
            student,
            stage.batches,
            functools.partial(stage.score, student),
            progress,
        )
        self.variables = [
            *distiller.own_variables,
            *distiller.optimizer.variables,
        ]
        self.held_out = stage.held_out_batches

    def losses(self, step: int, num_batches: int | None) -> dict[str, float]:
        numbers = range(num_batches or len(self.held_out))
        row = self.means(
            (self._given(*self.held_out.batch(number)) for number in numbers),
            # The last one may be filled up.
            [int((self.held_out.rows(n) >= 0).sum()) for n in numbers],
        )
        self.require_finite(row, f"on held-out examples after step {step}")
        if num_batches or self.score is None:
            return row
        return row | self.score()

    def whole_numbers(self) -> Iterator[np.ndarray]:
        yield from super().whole_numbers()
        yield from self.held_out.encoded.whole_numbers()

    def is_due(self, step: int) -> bool:
        return Loop.is_due(self, step)

    def _given(self, inputs: Any, labels: Any, weights: Any) -> tuple:
        """What teacher and student read, and the student is compared with."""
        return inputs, labels, weights
