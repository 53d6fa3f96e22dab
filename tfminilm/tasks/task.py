"""List the tasks: what each reads, predicts and measures."""

import dataclasses
import difflib
from collections.abc import Mapping

from tfminilm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Files:
    """Original files of one layout.

    Attributes:
        names: for each split the patterns (as of `glob`) under which its file
            may lie in the data folder, the best first. "{language}",
            "{context}" and "{question}" stand for language codes.
        reader: "tsv", "squad" (JSON), "imdb" (a folder of files), "csv",
            "conll" or "spans".
        columns: the names of a TSV file's columns if it has no header line;
            of CoNLL's the numbers of the word's and the tag's, or "".
    """

    names: Mapping[str, tuple[str, ...]]
    reader: str = "tsv"
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class LabelColumns:
    """Say how a user's own file writes labels other than one name a row.

    Attributes:
        separator: between the names of a text's labels in one column.
        columns: one for each class, by its name. They hold probabilities; of
            several labels also 1 and 0.
        are_logits: whether these numbers stand before the softmax, or before
            the sigmoid of each of several labels.
    """

    separator: str = ","
    columns: tuple[str, ...] = ()
    are_logits: bool = False


@dataclasses.dataclass(frozen=True)
class Task:
    """One benchmark.

    Attributes:
        name: what `--task` calls it.
        kind: the name of one of `tfminilm.tasks.kinds.KINDS`:
            "classification", "regression", "qa" or "token_classification".
        metrics: names of its metrics, the one that papers report first; none
            for a task that has no public labels.
        labels: the classes' names by index, in the order of TFDS.
        texts: the columns of the original files that hold the texts.
        label: the column of the original files that holds the label.
        label_columns: how a user's own file writes other labels.
        file_labels: the classes as the original files write them, by index;
            `labels` unless given.
        score_range: the least and the greatest score of a regression.
        train_split: None for a task that is trained on another's data.
        train_task: the name of that other task.
        eval_splits: the splits to score on.
        test_splits: further splits, which often have no labels.
        files: the layouts of the original files.
        has_impossible: some questions have no answer in their context.
        drops_broken_rows: the original files are known to hold rows of a
            wrong number of columns, which every reader of them leaves out.
        tfds: the name in TensorFlow Datasets; "{language}" as in `Files`.
        tfds_texts: the texts' names there; `texts` unless given.
        languages: the codes that `read` takes; the first is the default.
        submission: the leaderboard's file name for each split.
        epochs: rounds of fine-tuning; small sets need more than BERT's 3.
        batch_size: sequences of a step of fine-tuning. A step of 32 short
            sentences keeps no core busy, so that large sets have 64.
        max_length: tokens of the longest sequence.
    """

    name: str
    kind: str
    metrics: tuple[str, ...]
    files: tuple[Files, ...]
    labels: tuple[str, ...] = ()
    texts: tuple[str, ...] = ("sentence1", "sentence2")
    label: str = "label"
    label_columns: LabelColumns = LabelColumns()
    file_labels: tuple[str, ...] = ()
    score_range: tuple[float, float] | None = None
    train_split: str | None = "train"
    train_task: str | None = None
    eval_splits: tuple[str, ...] = ("validation",)
    test_splits: tuple[str, ...] = ()
    has_impossible: bool = False
    drops_broken_rows: bool = False
    tfds: str = ""
    tfds_texts: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    submission: Mapping[str, str] = dataclasses.field(default_factory=dict)
    epochs: int = 3
    batch_size: int = 32
    max_length: int = 128

    @property
    def splits(self) -> tuple[str, ...]:
        """Every split that `read` knows, each once."""
        train = () if self.train_split is None else (self.train_split,)
        return train + self.eval_splits + self.test_splits


_NLI = ("entailment", "neutral", "contradiction")
_TWO_WAY_NLI = ("entailment", "not_entailment")
_ZERO_ONE = ("0", "1")
# In tokens, of texts of several sentences.
_LONG = 384


def _glue_files(
    folder: str, *splits: str, columns: tuple[str, ...] = ()
) -> Files:
    """Return a GLUE task's files: `{folder}/train.tsv` or `train.tsv`, ...

    TFDS calls GLUE's "dev" files "validation".
    """
    names = {}
    for split in splits or ("train", "validation", "test"):
        file = split.replace("validation", "dev") + ".tsv"
        names[split] = (f"{folder}/{file}", file)
    return Files(names, columns=columns)


def _glue(name: str, folder: str, **more) -> Task:
    """Make a task of GLUE from what it does not share with the others."""
    shared = {
        "kind": "classification",
        "metrics": ("accuracy",),
        "files": (_glue_files(folder),),
        "test_splits": ("test",),
        "tfds": f"glue/{name}",
        "submission": {"test": f"{folder}.tsv"},
    }
    return Task(name=name, **(shared | more))


def _squad(name: str, version: str, tfds: str) -> Task:
    # The folder may hold a part of a split: "train_partial-v1.1.json".
    names = {
        split: tuple(
            f"{folder}{file}{part}-v{version}.json"
            for part in ("", "*")
            for folder in (f"v{version}/", "")
        )
        for split, file in (("train", "train"), ("validation", "dev"))
    }
    return Task(
        name=name,
        kind="qa",
        metrics=("f1", "exact"),
        files=(Files(names, reader="squad"),),
        texts=("question", "context"),
        has_impossible=version == "2.0",
        tfds=tfds,
        max_length=_LONG,
    )


_TABLE = (
    _glue(
        "cola",
        "CoLA",
        metrics=("matthews",),
        labels=("unacceptable", "acceptable"),
        file_labels=_ZERO_ONE,
        texts=("sentence",),
        files=(
            _glue_files(
                "CoLA",
                "train",
                "validation",
                columns=("source", "label", "mark", "sentence"),
            ),
            _glue_files("CoLA", "test"),
        ),
        epochs=5,
    ),
    _glue(
        "sst2",
        "SST-2",
        labels=("negative", "positive"),
        file_labels=_ZERO_ONE,
        texts=("sentence",),
        batch_size=64,
    ),
    _glue(
        "mrpc",
        "MRPC",
        metrics=("f1", "accuracy"),
        labels=("not_equivalent", "equivalent"),
        file_labels=_ZERO_ONE,
        texts=("#1 String", "#2 String"),
        label="Quality",
        tfds_texts=("sentence1", "sentence2"),
        epochs=5,
    ),
    _glue(
        "stsb",
        "STS-B",
        kind="regression",
        metrics=("spearman", "pearson"),
        label="score",
        score_range=(0.0, 5.0),
        epochs=5,
    ),
    _glue(
        "qqp",
        "QQP",
        metrics=("f1", "accuracy"),
        labels=("not_duplicate", "duplicate"),
        file_labels=_ZERO_ONE,
        texts=("question1", "question2"),
        label="is_duplicate",
        drops_broken_rows=True,
        batch_size=64,
    ),
    _glue(
        "mnli",
        "MNLI",
        labels=_NLI,
        label="gold_label",
        eval_splits=("validation_matched", "validation_mismatched"),
        test_splits=("test_matched", "test_mismatched"),
        files=(
            _glue_files(
                "MNLI",
                "train",
                "validation_matched",
                "validation_mismatched",
                "test_matched",
                "test_mismatched",
            ),
        ),
        tfds_texts=("premise", "hypothesis"),
        submission={
            "test_matched": "MNLI-m.tsv",
            "test_mismatched": "MNLI-mm.tsv",
        },
        batch_size=64,
    ),
    _glue(
        "qnli",
        "QNLI",
        labels=_TWO_WAY_NLI,
        texts=("question", "sentence"),
        batch_size=64,
    ),
    _glue("rte", "RTE", labels=_TWO_WAY_NLI, epochs=10),
    _glue(
        "wnli",
        "WNLI",
        labels=("not_entailment", "entailment"),
        file_labels=_ZERO_ONE,
    ),
    _glue(
        "ax",
        "AX",
        labels=_NLI,
        metrics=(),
        train_split=None,
        train_task="mnli",
        eval_splits=(),
        files=(
            Files(
                {
                    "test": (
                        "diagnostic/diagnostic.tsv",
                        "AX/diagnostic.tsv",
                        "AX/AX.tsv",
                        "diagnostic.tsv",
                        "AX.tsv",
                    )
                }
            ),
        ),
        tfds_texts=("premise", "hypothesis"),
    ),
    _squad("squad", "1.1", "squad"),
    _squad("squad_v2", "2.0", "squad/v2.0"),
    Task(
        name="imdb",
        kind="classification",
        metrics=("accuracy",),
        labels=("neg", "pos"),
        texts=("text",),
        eval_splits=("test",),
        files=(
            Files(
                {
                    split: (f"aclImdb/{split}", split)
                    for split in ("train", "test")
                },
                reader="imdb",
            ),
        ),
        tfds="imdb_reviews",
        max_length=_LONG,
    ),
    Task(
        name="xnli",
        kind="classification",
        metrics=("accuracy",),
        labels=_NLI,
        label="gold_label",
        train_split=None,
        train_task="mnli",
        test_splits=("test",),
        files=(
            # XTREME's files: one a language, the test files without labels.
            Files(
                {
                    "validation": (
                        "xnli/dev-{language}.tsv",
                        "dev-{language}.tsv",
                    )
                },
                columns=("sentence1", "sentence2", "gold_label"),
            ),
            Files(
                {"test": ("xnli/test-{language}.tsv", "test-{language}.tsv")},
                columns=("sentence1", "sentence2"),
            ),
            # XNLI's own: all languages in one.
            Files(
                {
                    "validation": ("XNLI-1.0/xnli.dev.tsv", "xnli.dev.tsv"),
                    "test": ("XNLI-1.0/xnli.test.tsv", "xnli.test.tsv"),
                }
            ),
        ),
        tfds="xnli",
        tfds_texts=("premise", "hypothesis"),
        languages=tuple("en ar bg de el es fr hi ru sw th tr ur vi zh".split()),
        batch_size=64,
    ),
    Task(
        name="mlqa",
        kind="qa",
        metrics=("f1", "exact"),
        texts=("question", "context"),
        train_split=None,
        train_task="squad",
        test_splits=("test",),
        files=(
            Files(
                {
                    split: tuple(
                        f"{folder}{file}-context-{{context}}"
                        "-question-{question}.json"
                        for folder in (f"MLQA_V1/{file}/", f"{file}/", "")
                    )
                    for split, file in (("validation", "dev"), ("test", "test"))
                },
                reader="squad",
            ),
        ),
        tfds="mlqa/{language}",
        languages=("en", "ar", "de", "es", "hi", "vi", "zh"),
        max_length=_LONG,
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _TABLE}


# What the names of tasks begin with that are files of a user's own.
OWN_FILES = ("csv:", "conll:", "spans:")


def get_task(name: str) -> Task:
    """Return the benchmark called `name`.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(name.lower(), TASKS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UserError(
        f"no task is called {name!r}; {hint}there are {', '.join(TASKS)}, and "
        "csv:FILE, conll:FILE and spans:FILE for data of your own"
    )
