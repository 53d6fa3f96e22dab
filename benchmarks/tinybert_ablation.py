"""TinyBERT with all of its parts, and with each of them left out.

    python benchmarks/tinybert_ablation.py --data_dir=GLUE

The teacher is all-MiniLM-L6-v2: as it is for text, and fine-tuned on SST-2
for the task. Two students: 4 layers of 312, which learn from the teacher's
top ones as 4 do not divide 6, and 3 layers of 384 with the uniform map. Both
start from random weights (--init=uniform starts the second one from the
teacher's layers). All rows make the same steps on text and on the task,
whatever the number of their examples; where a row has no prediction step,
fine-tuning on the labels stands in for it.

The teacher has no masked-language-model head, so that augmentation takes all
words from word vectors, its own or --word_vectors, unless --masked_lm names a
model that has one.

Each part of a cell is a folder in --workdir, and cells share what they can.
Started again, the command goes on where it was stopped.
"""

import dataclasses
import json
import math
import pathlib

import _shared
import keras

from tfminilm import files
from tfminilm.methods import TinyBERT
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train.build import build_student, start_student
from tfminilm.train.distill import distill
from tfminilm.train.finetune import FineTuning, finetune
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec
from tfminilm.train.score import Data, score_splits

TEACHER = _shared.TEACHER
TASK = get_task("sst2")
STUDENTS = {
    "4x312": (
        StudentSpec(num_layers=4, hidden_dim=312, intermediate_dim=1200),
        "top",
    ),
    "3x384": (StudentSpec(num_layers=3, hidden_dim=384), "uniform"),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What is left of TinyBERT."""

    general: bool = True
    intermediate: bool = True
    prediction: bool = True
    copies: bool = True
    without: tuple[str, ...] = ()


ROWS = {
    "TinyBERT": Row(),
    "no general distillation": Row(general=False),
    "no task distillation": Row(intermediate=False, prediction=False),
    "no augmentation": Row(copies=False),
    "no embedding loss": Row(without=("embedding",)),
    "no hidden or attention loss": Row(without=("hidden", "attention")),
    "no hidden loss": Row(without=("hidden",)),
    "no attention loss": Row(without=("attention",)),
    "no prediction loss": Row(prediction=False),
    "no distillation": Row(general=False, intermediate=False, prediction=False),
}


def main() -> None:
    """Run what is not there yet and print the table."""
    options = _options()
    bench = Bench(options)
    scores = {
        (row, student, seed): bench.cell(row, student, seed)
        for seed in options.seeds
        for student in options.students
        for row in options.rows
    }
    _shared.show(_table(scores, bench.teacher_score(), options), 100)


class Bench:
    """The runs behind the cells, each in a folder of its own."""

    def __init__(self, options):
        self.options = options
        self.data = Data(options.data_dir, None, options.max_examples)
        self.count = len(self.data.read(TASK, TASK.train_split))

    def cell(self, name, student, seed):
        """Return the score of one row of one student with one seed."""
        row = ROWS[name]
        folder = self._folder(name, student, seed)
        if not (folder / "cell.json").exists():
            before = self._layers(row, student, seed)
            if row.prediction:
                scores = self._predict(row, student, seed, folder, before)
            else:
                scores = self._finetune(
                    before or self._untrained(student, seed), folder, seed
                )
            files.write_json(folder / "cell.json", scores)
        return _score(folder)

    def teacher(self):
        """Return the fine-tuned teacher's folder."""
        folder = self.options.workdir / "teacher"
        if not (folder / "cell.json").exists():
            scores = self._finetune(TEACHER, folder, self.options.seeds[0])
            files.write_json(folder / "cell.json", scores)
        return folder

    def teacher_score(self):
        """Return what the fine-tuned teacher scores."""
        return _score(self.teacher())

    def _layers(self, row, student, seed):
        """Return the student after the steps on layers, if there are any."""
        options, before = self.options, None
        if row.general:
            before = self._folder("general", student, seed, row.without)
            self._distill(
                before,
                seed,
                teacher=TEACHER,
                student=self._start(student, None),
                method=self._method(student, row.without),
                data=DataSpec(
                    source=options.text,
                    sequence_length=128,
                    max_tokens=options.max_tokens,
                ),
                train=self._train(options.text_steps, options.layer_rate),
            )
        if row.intermediate:
            kind = ["intermediate"]
            kind += [] if row.general else ["alone"]
            kind += ["copies"] if row.copies else []
            folder = self._folder("-".join(kind), student, seed, row.without)
            self._distill(
                folder,
                seed,
                teacher=str(self.teacher()),
                student=self._start(student, before),
                method=self._method(student, row.without),
                data=self._examples(row),
                train=self._train(options.task_steps, options.layer_rate),
            )
            before = folder
        return before

    def _predict(self, row, student, seed, folder, before):
        options = self.options
        self._distill(
            folder,
            seed,
            teacher=str(self.teacher()),
            student=self._start(student, before),
            method=TinyBERT.prediction(),
            data=self._examples(row),
            train=self._train(options.prediction_steps, options.rate),
        )
        with Progress() as progress:
            return score_splits(
                TASK,
                folder / "student",
                TASK.eval_splits,
                self.data,
                options.workdir / "text",
                folder,
                progress,
            )

    def _finetune(self, source, folder, seed):
        options = self.options
        steps = math.ceil(self.count / options.batch)
        spec = FineTuning(
            model=str(source),
            task=TASK.name,
            seed=seed,
            data_dir=options.data_dir,
            epochs=math.ceil(options.prediction_steps / steps),
            learning_rate=options.rate,
            batch_size=options.batch,
            max_examples=options.max_examples,
        )
        return finetune(TASK, spec, folder, options.workdir / "text")

    def _untrained(self, student, seed):
        """Return a student with its first weights."""
        folder = self._folder("untrained", student, seed)
        if folder.exists():
            return folder
        keras.utils.set_random_seed(seed)
        spec, teacher = self._start(student, None), load_backbone(TEACHER)
        model = build_student(spec, teacher.vocabulary_size)
        start_student(model, spec, teacher)
        with files.new_directory(folder) as beside:
            model.save_to_preset(str(beside))
            load_tokenizer(TEACHER).save_to_preset(str(beside))
        return folder

    def _distill(self, folder, seed, **stage):
        # What one run read or augmented, another need not.
        shared = (self.options.workdir / "text").resolve()
        shared.mkdir(parents=True, exist_ok=True)
        if not (folder / "text").exists():
            folder.mkdir(exist_ok=True)
            (folder / "text").symlink_to(shared)
        if not (folder / "student").is_dir():
            distill(Recipe(name=folder.name, seed=seed, **stage), folder)

    def _start(self, student, source):
        spec, _ = STUDENTS[student]
        if source:
            init, source = "uniform", str(source)
        else:
            init = self.options.init if student == "3x384" else "random"
        return dataclasses.replace(spec, init=init, init_from=source or "")

    def _method(self, student, without):
        _, layers = STUDENTS[student]
        return TinyBERT(layers, **{f"{name}_weight": 0.0 for name in without})

    def _examples(self, row):
        options = self.options
        return DataSpec(
            source=f"task:{TASK.name}",
            folder=options.data_dir,
            sequence_length=64,
            max_examples=options.max_examples,
            augment_copies=options.copies if row.copies else 0,
            augmentation="tinybert",
            masked_lm=options.masked_lm,
            word_vectors=options.word_vectors,
        )

    def _train(self, steps, rate):
        return TrainSpec(
            steps=steps,
            batch_size=self.options.batch,
            learning_rate=rate,
            warmup_steps=steps // 10,
            held_out_sequences=128,
        )

    def _folder(self, name, student, seed, without=()):
        parts = [name, student, *(f"no-{loss}" for loss in without), str(seed)]
        return self.options.workdir / "-".join(parts).replace(" ", "-")


def _score(folder):
    scores = json.loads((folder / "cell.json").read_text())
    return 100 * scores[TASK.eval_splits[0]][TASK.metrics[0]]


def _table(scores, teacher, options):
    shown = _shared.table([f"{TASK.name}, {TASK.metrics[0]}"], options.students)
    shown.add_row("teacher", *[f"{teacher:.1f}"] * len(options.students))
    for row in options.rows:
        texts = []
        for student in options.students:
            found = [scores[row, student, seed] for seed in options.seeds]
            texts.append(_shared.mean_and_deviation(found))
        shown.add_row(row, *texts)
    shown.caption = (
        f"dev set; mean and standard deviation of seeds {options.seeds}; "
        f"{options.text_steps} steps of {options.batch} x 128 tokens of "
        f"{options.text}, {options.task_steps} on the layers and "
        f"{options.prediction_steps} on the predictions of "
        f"{options.max_examples or 'all'} examples, with {options.copies} "
        f"copies each; learning rates {options.layer_rate} and "
        f"{options.rate}; masked language model: {options.masked_lm}; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__)
    add = parser.add_argument
    add("--data_dir", required=True, help="GLUE's own files")
    add("--workdir", type=pathlib.Path, default="runs/tinybert_ablation")
    add("--students", nargs="+", default=list(STUDENTS), choices=STUDENTS)
    add("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    add("--seeds", nargs="+", type=int, default=[1, 2, 3])
    add("--text", default="docs", help="of the general step")
    add("--max_tokens", type=int, default=4_000_000, help="of the text")
    parser.add_flags(text_steps=300, task_steps=600, prediction_steps=400)
    parser.add_flags(batch=32)
    add("--layer_rate", type=float, default=5e-4, help="of both first steps")
    add("--rate", type=float, default=1e-4, help="of predictions and labels")
    parser.add_flags(copies=20, masked_lm="none")
    add("--word_vectors", default="", help="a file such as GloVe's")
    add("--init", default="random", choices=("random", "uniform"))
    add("--max_examples", type=int, default=4_000, help="of a split; 0: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
