"""Do the steps from labelled text to a bundle, in their order."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfminilm import families, files, json_files, teachers
from tfminilm.errors import UserError
from tfminilm.pipeline import cards, coverage, plan, survey
from tfminilm.pipeline.export import export
from tfminilm.pipeline.judge import judge
from tfminilm.pipeline.options import Options
from tfminilm.pipeline.page import write_page
from tfminilm.pipeline.splits import split
from tfminilm.tasks import class_weights
from tfminilm.tasks.examples import read
from tfminilm.tasks.judgement import Evidence
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.readers.paths import lines
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.train.build import build_student, start_student
from tfminilm.train.distill import distill
from tfminilm.train.fine_tuning import FineTuning
from tfminilm.train.finetune import finetune
from tfminilm.train.models import Backbone
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.task import text_files
from tfminilm.web import site

STUDENT = "distilled"
_STEPS = 7
_SHARE_UNLABELLED = 0.1


class Steps:
    """Do the steps, each in a folder of its own; what is done is kept."""

    def __init__(
        self,
        path: pathlib.Path,
        options: Options,
        report: survey.Survey,
        num_texts: int,
        unlabeled: str,
        with_site: bool = False,
    ):
        self._path = path
        self._with_site = with_site
        self._options = options
        self._report = report
        self._unlabeled = unlabeled
        self._num_texts = num_texts
        self._goal = report.goal
        self._labels = self._goal.labels(report.examples)
        self._say = Progress().say

    def check(self) -> None:
        """Refuse options that the labels do not go with; write nothing.

        Raises:
            UserError: an option is for other kinds of labels, or what the
                page in the browser runs on cannot be fetched.
        """
        self._how(self._options.teacher).resolved(self._learned())
        class_weights.require(self._options.class_weights, self._labels)
        if self._with_site:
            site.fetch()

    def run(self, name: str) -> pathlib.Path:
        """Do all steps; return the bundle's folder."""
        say = self._say
        self._title(1, f"data: {name}")
        for line in self._report.lines():
            say(f"  {line}")
        self._write_data()
        self._title(2, "plan")
        chosen = self._plan()
        self._title(3, "teacher: fine-tuning")
        self._train_teacher(chosen)
        chosen = self._shorten(chosen)
        for line in chosen.lines():
            say(f"  {line}")
        self._title(4, "student: learning from the teacher")
        self._distil(chosen)
        self._title(5, "student: learning from labels alone, to compare")
        self._train_alone(chosen)
        self._title(6, "bundle: rounding and checking")
        bundle = self._path / "bundle"
        export(
            self._path / STUDENT,
            {name: self._task(name) for name in ("train", "validation")},
            chosen.max_length,
            self._options,
            bundle,
            say,
        )
        if self._with_site:
            site.write_site(str(bundle), self._path / site.SITE)
        self._title(7, "evidence: scoring on texts that no model has seen")
        models = {
            "teacher": self._path / "teacher",
            "student": self._path / STUDENT,
            "labels alone": self._path / "alone",
            "bundle": bundle,
        }
        page, evidence = self._judge(name, chosen, models)
        cards.write(models, evidence)
        say(f"page: {page}")
        say(f"bundle: {bundle}")
        return bundle

    def _judge(
        self,
        name: str,
        chosen: plan.Plan,
        models: Mapping[str, pathlib.Path],
    ) -> tuple[pathlib.Path, Evidence]:
        """Score the models; return the path of the page, and what it shows."""
        splits = {name: self._task(name) for name in ("validation", "test")}
        evidence = judge(models, splits, self._say)
        page = write_page(self._path, name, self._report, chosen, evidence)
        return page, evidence

    def _title(self, number: int, words: str) -> None:
        self._say(f"{number}/{_STEPS} {words}")

    def _file(self, name: str) -> pathlib.Path:
        return self._path / "data" / f"{name}{self._goal.suffix}"

    def _task(self, name: str) -> Task:
        """Return a file as a task with one split, "all"."""
        return self._goal.task(self._file(name), self._num_texts, self._labels)

    def _write_data(self) -> None:
        """Write each split as a file that all commands read."""
        rows = self._report.examples
        strata = self._goal.strata(rows)
        parts = split(rows, strata, self._options.seed)
        for name, part in parts.items():
            self._file(name).parent.mkdir(parents=True, exist_ok=True)
            if not self._file(name).is_file():
                files.write_text(self._file(name), self._goal.content(part))
        texts = [" ".join(row[0].split()) for row in self._report.unlabelled]
        # With a few of them the labels would be lost for little: texts without
        # a label leave the student the teacher's answers alone.
        is_worth = len(texts) >= _SHARE_UNLABELLED * len(self._report.examples)
        if not is_worth or self._num_texts != 1:
            texts = []
        self._write_unlabelled("".join(f"{text}\n" for text in texts))
        counts = ", ".join(f"{len(rows):,} {n}" for n, rows in parts.items())
        self._say(f"  split by class: {counts}")

    def _write_unlabelled(self, content: str) -> None:
        """Write texts without a label, or refuse others than at the start."""
        path = self._path / "data" / "unlabelled.txt"
        is_begun = (self._path / STUDENT).is_dir()
        before = path.read_text("utf-8") if path.is_file() else ""
        if is_begun and before != content:
            raise UserError(
                f"{self._path} was begun with other rows without a label: "
                "give the data as it was, or another --output"
            )
        if content:
            files.write_text(path, content)
        else:
            path.unlink(missing_ok=True)

    def _plan(self) -> plan.Plan:
        """Choose, or keep to what an earlier start chose."""
        backbone = teachers.load_backbone(self._options.teacher)
        family = families.of_backbone(backbone)
        if family is None or not family.students:
            raise UserError(
                f"--teacher={self._options.teacher} is a "
                f"{type(backbone).__name__}, of which no student is made: "
                f"expected one of {', '.join(families.STUDENT_KINDS)}"
            )
        tokenizer = teachers.load_tokenizer(self._options.teacher)
        task = self._task("train")
        examples = read(task, "all")
        texts = [text for example in examples for text in example.texts]
        if told := coverage.warning(texts, tokenizer):
            self._say(f"  {told}")
        longest = backbone.max_sequence_length
        encoded = kind_of(task).encode(
            task, examples, tokenizer, Settings.of(task, longest)
        )
        return plan.plan(
            self._options,
            encoded.lengths,
            self._learned_of(examples),
            {"kind": next(iter(family.students)), **family.sizes(backbone)},
            longest,
            len(self._labels),
            self._count_unlabelled(),
        )

    def _count_unlabelled(self) -> int:
        """Count the texts without labels that the student learns from."""
        names = self._more_texts()
        return sum(1 for file in text_files(names) for _ in lines(file))

    def _train_teacher(self, chosen: plan.Plan) -> None:
        model = self._options.teacher
        self._fine_tune(model, "teacher", chosen, chosen.epochs)

    def _shorten(self, chosen: plan.Plan) -> plan.Plan:
        """Fit the student's training into the minutes that are left."""
        rows = json_files.read_lines(
            self._path / "teacher" / "metrics.jsonl",
            {"step": int, "seconds?": float},
            "",
            skips="all",
        )
        *_, last = (row for row in rows if row.get("seconds"))
        seconds = 60 * self._options.minutes - last["seconds"]
        each = last["seconds"] / last["step"]
        # The student learns twice, once without its teacher.
        return plan.within(chosen, each, seconds / 2)

    def _recipe(self, chosen: plan.Plan) -> Recipe:
        paths = {n: os.fspath(self._file(n)) for n in ("train", "validation")}
        if self._unlabeled:
            paths["text"] = self._unlabeled
        if more := self._more_texts():
            paths["unlabeled"] = ",".join(more)
        kind = kind_of(self._task("train"))
        data = self._goal.data(paths["train"], self._num_texts)
        if kind.picks_one:
            data["class_weights"] = self._options.class_weights
        teacher = os.fspath(self._path / "teacher")
        return plan.recipe(chosen, self._options, paths, data, teacher)

    def _more_texts(self) -> list[str]:
        """Return the files, or folders of them, of texts without labels."""
        kind = kind_of(self._task("train"))
        if self._num_texts != 1 or not kind.takes_unlabelled:
            return []
        rows = self._path / "data" / "unlabelled.txt"
        more = [os.fspath(rows)] if rows.is_file() else []
        return [*more, *filter(None, [self._unlabeled])]

    def _distil(self, chosen: plan.Plan) -> None:
        made = self._recipe(chosen)
        path = self._path / "recipe.py"
        files.write_text(path, plan.source_of(made))
        self._say(f"  recipe, for tfminilm distill --config: {path}")
        distill(made, self._path / STUDENT)

    def _train_alone(self, chosen: plan.Plan) -> None:
        """Train the same student on labels alone.

        It starts from the layers of the teacher before its fine-tuning, as one
        would without a fine-tuned teacher.
        """
        start = self._path / "start"
        if not start.is_dir():
            spec = next(iter(self._recipe(chosen).stages.values())).student
            source = teachers.load_backbone(self._options.teacher)
            tokens = source.token_embedding.input_dim
            student = build_student(spec, tokens, pairs=self._num_texts == 2)
            start_student(student, spec, source)
            tokenizer = teachers.load_tokenizer(self._options.teacher)
            Backbone().save(student, tokenizer, start)
        examples = read(self._task("train"), "all")
        each = math.ceil(self._learned_of(examples) / self._options.batch_size)
        epochs = max(1, round(chosen.student_steps / each))
        self._fine_tune(os.fspath(start), "alone", chosen, epochs)

    def _fine_tune(
        self, model: str, name: str, chosen: plan.Plan, epochs: int
    ) -> None:
        times = 1 if name == "teacher" else plan.STUDENT_RATE
        spec = dataclasses.replace(
            self._how(model),
            epochs=epochs,
            learning_rate=times * chosen.learning_rate,
            head_rate=plan.HEAD_RATE,
            max_length=chosen.max_length,
        )
        finetune(self._learned(), spec, self._path / name)

    def _learned_of(self, examples: Sequence[Any]) -> int:
        """Return how many examples a round has, the repeated ones too."""
        share = self._options.oversampling
        return len(class_weights.oversampled(share, examples))

    def _learned(self) -> Task:
        """Return what is trained on and validated on, as a task."""
        train, validation = map(self._file, ("train", "validation"))
        return self._goal.task(train, self._num_texts, self._labels, validation)

    def _how(self, model: str) -> FineTuning:
        """Return how a model learns from labels, as far as options say it."""
        options = self._options
        return FineTuning(
            model=model,
            task=self._learned().name,
            seed=options.seed,
            batch_size=options.batch_size,
            precision=options.precision,
            class_weights=options.class_weights,
            oversampling=options.oversampling,
            label_smoothing=options.label_smoothing,
            focal_gamma=options.focal_gamma,
            best_by=options.best_by,
            patience=options.patience,
        )
