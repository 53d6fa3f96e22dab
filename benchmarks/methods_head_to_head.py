"""Every method with one teacher, one student, one text, and the same steps.

    python benchmarks/methods_head_to_head.py --data_dir=GLUE

The teacher is all-MiniLM-L6-v2, fine-tuned on each task where a method learns
from logits; the student has three of its layers. Methods that learn from text
run first and are fine-tuned; methods that learn from a task's logits run in
place of fine-tuning, for as many steps. Two rows learn nothing from a
teacher: with the same first weights, and with random ones. The first weights
are every second layer of the teacher's; with --init=random all rows start from
random ones.

Each cell is a folder in --workdir. Started again, the command goes on where it
was stopped. The teacher has no masked-language-model head, so MLM-KD is left
out, and of DistilBERT's three losses two: what stays is its cosine loss.
"""

import json
import math
import pathlib
import statistics

import _shared
import keras

from tfminilm import files, methods, students, teachers
from tfminilm.tasks.task import get_task
from tfminilm.train.distill import distill
from tfminilm.train.finetune import FineTuning, finetune
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec
from tfminilm.train.score import Data, score_splits

TEACHER = _shared.TEACHER
LAYERS, WIDTH = 3, 384
ON_TEXT = {
    "MiniLM": methods.MiniLM(),
    "MiniLM without value relation": methods.MiniLM(value_weight=0.0),
    "MiniLMv2": methods.MiniLMv2(num_relation_heads=48),
    "DistilBERT, cosine alone": methods.DistilBERT(soft_weight=0, mlm_weight=0),
}
ON_TASK = {
    "soft targets": methods.SoftTargets(temperature=2.0, alpha=0.5),
    "logits MSE": methods.SoftTargets(loss="logits_mse", alpha=0.5),
    "BERT-PKD": methods.PatientKD(temperature=10.0, alpha=0.5),
}
ALONE = ("no distillation", "random weights")
ROWS = ("teacher", *ON_TEXT, *ON_TASK, *ALONE)


def main() -> None:
    """Run what is not there yet and print the table."""
    options = _options()
    cells = {
        (row, task, seed): _cell(row, task, seed, options)
        for seed in options.seeds
        for task in options.tasks
        for row in options.rows
    }
    _shared.show(_table(cells, options), 100)


def _cell(row, task, seed, options):
    """Return the score of one row on one task with one seed."""
    folder = options.workdir / f"{row}-{task}-{seed}".replace(" ", "-")
    path = folder / "cell.json"
    if not path.exists():
        if row in ON_TASK:
            scores = _distil_on_task(row, task, seed, folder, options)
        else:
            source = _source(row, seed, options)
            spec = _fine_tuning(source, task, seed, options)
            cache = options.workdir / "text"
            scores = finetune(get_task(task), spec, folder, cache)
        files.write_json(path, scores)
    scores = json.loads(path.read_text())
    metric = get_task(task).metrics[0]
    return 100 * scores[get_task(task).eval_splits[0]][metric]


def _source(row, seed, options):
    """Return the model that is fine-tuned."""
    if row == "teacher":
        return TEACHER
    folder = options.workdir / f"{row}-{seed}".replace(" ", "-")
    if row in ON_TEXT:
        distill(_on_text(row, seed, options), folder)
    elif not folder.exists():
        init = "random" if row == "random weights" else options.init
        _save_untrained(init, seed, folder)
    return str(folder)


def _save_untrained(init, seed, folder):
    keras.utils.set_random_seed(seed)
    student = students.bert(num_layers=LAYERS, hidden_dim=WIDTH)
    if init != "random":
        teacher = teachers.load_backbone(TEACHER)
        students.init_from_teacher(student, teacher, layers=init)
    with files.new_directory(folder) as beside:
        student.save_to_preset(str(beside))
        teachers.load_tokenizer(TEACHER).save_to_preset(str(beside))


def _on_text(row, seed, options):
    return Recipe(
        name=row,
        seed=seed,
        teacher=TEACHER,
        student=StudentSpec(
            num_layers=LAYERS, hidden_dim=WIDTH, init=options.init
        ),
        method=ON_TEXT[row],
        data=DataSpec(
            source=options.text, sequence_length=128, max_tokens=4_000_000
        ),
        train=TrainSpec(
            steps=options.text_steps,
            batch_size=32,
            learning_rate=5e-4,
            warmup_steps=options.text_steps // 10,
        ),
    )


def _distil_on_task(row, task, seed, folder, options):
    known = get_task(task)
    _cell("teacher", task, options.seeds[0], options)
    teacher = options.workdir / f"teacher-{task}-{options.seeds[0]}"
    examples = Data(options.data_dir, None, options.max_examples).read(
        known, known.train_split
    )
    steps = options.epochs * math.ceil(len(examples) / options.batch)
    recipe = Recipe(
        name=f"{row} on {task}",
        seed=seed,
        teacher=str(teacher),
        student=StudentSpec(
            num_layers=LAYERS,
            hidden_dim=WIDTH,
            init=options.init,
            init_from=TEACHER,
        ),
        method=ON_TASK[row],
        data=DataSpec(
            source=f"task:{task}",
            folder=options.data_dir,
            sequence_length=128,
            max_examples=options.max_examples,
        ),
        train=TrainSpec(
            steps=steps,
            batch_size=options.batch,
            learning_rate=options.learning_rate,
            warmup_steps=steps // 10,
        ),
    )
    distill(recipe, folder)
    with Progress() as progress:
        return score_splits(
            known,
            folder / "student",
            known.eval_splits,
            Data(options.data_dir, None, options.max_examples),
            options.workdir / "text",
            folder,
            progress,
        )


def _fine_tuning(source, task, seed, options):
    return FineTuning(
        model=source,
        task=task,
        seed=seed,
        data_dir=options.data_dir,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        batch_size=options.batch,
        max_examples=options.max_examples,
    )


def _table(cells, options):
    tasks = [f"{task} ({get_task(task).metrics[0]})" for task in options.tasks]
    shown = _shared.table(["", *tasks], ["mean"])
    for row in dict.fromkeys(row for row, _, _ in cells):
        means, texts = [], []
        for task in options.tasks:
            values = [cells[row, task, seed] for seed in options.seeds]
            means.append(statistics.fmean(values))
            texts.append(_shared.mean_and_deviation(values))
        shown.add_row(row, *texts, f"{statistics.fmean(means):.1f}")
    shown.caption = (
        f"dev sets; mean and standard deviation of seeds {options.seeds}; "
        f"{options.init} first weights; "
        f"{options.text_steps} steps of 32 x 128 tokens of "
        f"{options.text}; {options.epochs} epochs of "
        f"{options.max_examples or 'all'} examples, batches of "
        f"{options.batch}, learning rate {options.learning_rate}; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__)
    parser.add_argument("--data_dir", required=True, help="GLUE's own files")
    parser.add_argument(
        "--workdir", type=pathlib.Path, default="runs/head_to_head"
    )
    parser.add_argument(
        "--init", default="uniform", choices=["uniform", "random"]
    )
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--text", default="docs", help="what MiniLM reads")
    parser.add_flags(text_steps=200)
    parser.add_argument("--tasks", nargs="+", default=["sst2", "cola", "mrpc"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_flags(epochs=3, batch=32, learning_rate=1e-4)
    parser.add_argument(
        "--max_examples", type=int, default=4_000, help="of a split; 0: all"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
