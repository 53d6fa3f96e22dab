"""Describe a stage: what is distilled into what, on which data, how long."""

import dataclasses
import math
from typing import Any

import tfminilm.config
from tfminilm import families
from tfminilm.errors import UsageError
from tfminilm.tasks.kinds import COLUMN_KINDS

INITS = ("uniform", "bottom", "embeddings", "pruned", "random")
ATTENTION_INPUTS = ("", "shared", "block", "bottleneck")
OPTIMIZERS = ("adamw", "lamb")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
AUGMENTATIONS = ("bilstm", "tinybert")
LABEL_KINDS = COLUMN_KINDS
SOFT_LABELS = ("", "probabilities", "logits")
# A value of `best_by`: the task's first metric.
BY_SCORE = "score"
SPARSITY_SCHEDULES = ("polynomial", "constant")
TASK = "task:"
PARALLEL = "parallel:"
HEAD = "head"
# Instead of a folder of a teacher's outputs: the run makes it.
AUTO = "auto"
# Instead of a masked language model: word vectors do all of its work.
NO_MODEL = "none"


def known_methods() -> dict[str, Any]:
    """Return the classes of `tfminilm.methods` that a stage may name."""
    # Imported late: the losses need Keras, which takes seconds to import.
    from tfminilm import methods

    public = {name: getattr(methods, name) for name in methods.__all__}
    return {
        name: cls
        for name, cls in public.items()
        if hasattr(cls, "terms") and dataclasses.is_dataclass(cls)
    }


@dataclasses.dataclass(frozen=True)
class StudentSpec(tfminilm.config.Typed):
    """Describe the student's shape, and where its first weights come from.

    `kind` is the architecture, one of `families.STUDENT_KINDS`: for example
    bert, xlm_roberta for the vocabulary of XLM-R, or bilstm, whose sizes are
    `embedding_dim`, `lstm_units` and `hidden_dim`. MobileBERT's kinds and
    ib_bert have an `embedding_dim` and a `bottleneck_dim` as well, electra
    has an `embedding_dim`; a modernbert's `intermediate_dim` is that of each
    of a block's two halves; 0 `num_feedforwards` and no `attention_input`
    stand for the paper's, and `dropout` is that of attention alone, but for
    IB-BERT.

    `init` is "uniform" (embeddings and every k-th layer of the model that it
    comes from), "bottom" (embeddings and the lowest layers), "embeddings"
    (only those), "pruned" (those layers, and in them as many feed-forward
    neurons as the student has, that matter most on the stage's data; the
    teacher's head as well), "random", or explicit layers counted from 0,
    lowest first, such as "1,3,5". That model is the teacher, or `init_from`:
    an earlier stage's student, or a model as `teacher` takes it. Of a pruned
    one's attention heads in each layer the `kept_heads` that matter most give
    anything (0: all of them), and a file for phones has no others.

    `tokenizer` is a model, as `teacher` takes it, whose tokenizer the student
    reads; by default it is the teacher's. With another one than that of the
    model it comes from, each of the student's pieces begins as that model's
    vector of the same piece, or as the mean of those that spell it. Methods
    that compare token by token need the teacher's.

    `frozen` names what is not trained: "embeddings", layers counted from 0
    (negative from the top), or both, such as "embeddings,0,1".
    """

    kind: str = families.DEFAULT_KIND
    num_layers: int = 6
    hidden_dim: int = 384
    num_heads: int = 12
    intermediate_dim: int = 1536
    embedding_dim: int = 300
    lstm_units: int = 200
    bottleneck_dim: int = 128
    num_feedforwards: int = 0
    attention_input: str = ""
    max_sequence_length: int = 512
    dropout: float = 0.1
    init: str = "random"
    init_from: str = ""
    tokenizer: str = ""
    kept_heads: int = 0
    frozen: str = ""

    def init_layers(self) -> str | list[int]:
        """Return `init` as `students.init_from_teacher` takes it.

        Raises:
            UsageError: it is neither a known word nor layers.
        """
        if self.init in INITS:
            return self.init
        try:
            return [int(index) for index in self.init.split(",")]
        except ValueError:
            raise UsageError(
                f"recipe: student.init is {self.init!r}, expected "
                f"{', '.join(INITS)}, or layers such as 1,3,5"
            ) from None

    def frozen_parts(self) -> list[str | int]:
        """Return `frozen` as a list of "embeddings" and layers' indices.

        Raises:
            UsageError: it names something else.
        """
        parts = [part.strip() for part in self.frozen.split(",") if part]
        try:
            return [
                part if part == "embeddings" else int(part) for part in parts
            ]
        except ValueError:
            raise UsageError(
                f"recipe: student.frozen is {self.frozen!r}, expected "
                "embeddings, layers such as 0,1, or both"
            ) from None


@dataclasses.dataclass(frozen=True)
class DataSpec(tfminilm.config.Typed):
    """Name the data: "docs", a folder of .txt files, "tfds:NAME", "task:NAME".

    "docs" is the documentation that comes with every Python; several sources,
    such as languages, stand with commas between them. "shards:FOLDER" is text
    that `tfminilm prepare` has packed, with its held-out part. Text is packed
    into sequences of one length, or, with `sentences`, cut into sentences.
    A teacher with a tokenizer of its own reads the same texts up to
    `teacher_length` tokens (0: `sequence_length`, or all that it has room for).
    `max_tokens` stops reading early (0: all of it); of shards it takes
    sequences from all over. Methods that learn from masked text hide
    `mask_rate` of the tokens, `whole_words` or any; without whole words
    `mask_smoothing` hides rare tokens more often, by their count in the text
    to minus this power (0: all alike).

    "parallel:FILE" is pairs of translations, of which the teacher reads the
    first text, and the student both: FILE.tsv, FILE.tmx, or the lines of two
    files, ONE+OTHER; several with commas between.

    A task's examples come from the original files in `folder`, or from
    TensorFlow Datasets; `max_examples` draws so many of every split, alike by
    label and always the same ones (0: all; of `sentences`, of the whole text).
    "task:csv:FILE" is labelled text of your own: `text_columns` names its
    column of text or two, with a comma between, and `label_column` what to
    predict, a class or, by `label_kind` "regression", a number, or by
    "multi_label" names with `label_separator` (by default a comma) between
    them. `label_columns` names a column for each class instead, or besides,
    with the probabilities to learn, or by `soft_labels` "logits". A tenth of
    the rows is held out, or else `eval_file` is.

    `unlabeled` adds texts without labels to a task of single texts: a .txt
    file or a folder of them, or several with commas between, with a text on
    each line. `class_weights` says how much a labelled example of a class
    counts, in all losses: "balanced", or as in "a:2,b:0.5". `oversampling`
    repeats the examples of rare classes: 1 makes as
    many of each as of the most frequent, 0 none.

    `teacher_outputs` is a folder of `tfminilm teach`: the teacher's logits, or
    its embeddings, of every text, so that it does not run again. With "auto"
    the run writes it before the first step. Or it is a table, .csv, .tsv,
    .jsonl or .parquet, with the texts in `text_columns` (by default as the task
    calls them; "text" of sentences) and in `teacher_columns` what a teacher
    gave elsewhere: one column with a list of numbers, or one for each. Numbers
    of classes are probabilities, or by `soft_labels` "logits"; their classes
    are the columns' names, or the stage's `teacher_labels`. The stage's teacher
    then is only what the student starts from.

    `augment_copies` adds so many changed copies of each, without labels, as a
    paper makes them. `augmentation` "bilstm" masks and cuts, and with
    `replace_words` puts words of the same part of speech for some, which takes
    the package HanTa. "tinybert" puts words that `masked_lm` finds likely, a
    model with such a head (by default the teacher; "none" does without), and
    for words of several pieces those of near vectors: of `word_vectors`, a
    text file such as GloVe's, or of the model's own.
    """

    source: str = "docs"
    sequence_length: int = 512
    teacher_length: int = 0
    held_out_fraction: float = 0.02
    max_tokens: int = 0
    sentences: bool = False
    mask_rate: float = 0.15
    whole_words: bool = True
    mask_smoothing: float = 0.0
    folder: str = ""
    max_examples: int = 0
    text_columns: str = ""
    label_column: str = ""
    label_kind: str = "classification"
    label_separator: str = ""
    label_columns: str = ""
    soft_labels: str = ""
    eval_file: str = ""
    unlabeled: str = ""
    class_weights: str = ""
    oversampling: float = 0.0
    teacher_outputs: str = ""
    teacher_columns: str = ""
    augment_copies: int = 0
    augmentation: str = AUGMENTATIONS[0]
    replace_words: bool = True
    masked_lm: str = ""
    word_vectors: str = ""

    @property
    def has_unlabelled(self) -> bool:
        """Tell whether some examples to learn from have no labels."""
        return bool(self.augment_copies or self.unlabeled)

    @property
    def translations(self) -> str:
        """Return the files of parallel text; empty if the source is another."""
        is_parallel = self.source.startswith(PARALLEL)
        return self.source.removeprefix(PARALLEL) if is_parallel else ""

    @property
    def has_texts(self) -> bool:
        """Tell whether sequences are single texts, not packed ones."""
        return bool(self.task or self.sentences or self.translations)

    @property
    def task(self) -> str:
        """Return the name of the task; empty if the source is text."""
        is_task = self.source.startswith(TASK)
        return self.source.removeprefix(TASK) if is_task else ""


@dataclasses.dataclass(frozen=True)
class TrainSpec(tfminilm.config.Typed):
    """Set steps, optimizer and rhythm; linear warm-up, then decay to zero.

    With a `final_rate`, a share of the peak, the rate falls to that instead,
    by the square root of the steps left, as in MobileBERT's transfer.
    `optimizer` is "adamw", or "lamb" for large batches. `layer_rates` slows
    parts of the student, or hastens them: each with its share of the learning
    rate, such as "embeddings:0.1,0:0.1,1:0.5,head:10".
    `gradient_accumulation` > 1 splits the `batch_size` into that many parts.
    `steps_per_execution` > 1 makes that many steps in one call of the device,
    which small models on fast devices gain from; logs, evaluations and
    checkpoints come between calls.
    `precision` is "float32", "mixed_bfloat16", "mixed_float16", or "auto":
    what is fastest on this machine. `keep_checkpoints` counts the newest;
    the best on held-out data is kept beside them: that of the lowest loss, or
    by `best_by` of the highest value of a metric, which is then what the run
    ends with; "score" is the metric that a task's papers report first, or the
    loss where none is measured. `patience` > 0 ends a run after so many
    evaluations in a row that were not the best.
    """

    steps: int = 400_000
    batch_size: int = 256
    gradient_accumulation: int = 1
    steps_per_execution: int = 1
    optimizer: str = "adamw"
    learning_rate: float = 5e-4
    layer_rates: str = ""
    warmup_steps: int = 4_000
    final_rate: float = 0.0
    weight_decay: float = 0.01
    beta_2: float = 0.999
    clip_norm: float = 1.0
    precision: str = "auto"
    log_every: int = 20
    evaluate_every: int = 1_000
    checkpoint_every: int = 1_000
    keep_checkpoints: int = 2
    held_out_sequences: int = 256
    best_by: str = ""
    patience: int = 0

    def shares(self) -> dict[str | int, float]:
        """Return `layer_rates` by "embeddings", "head" and layers' indices.

        Raises:
            UsageError: it names something else, a part twice, or a share
                below 0.
        """
        shares: dict[str | int, float] = {}
        try:
            for pair in filter(None, self.layer_rates.split(",")):
                part, share = pair.split(":")
                name = part.strip()
                key = name if name in ("embeddings", HEAD) else int(name)
                if key in shares or not 0 <= float(share) < math.inf:
                    raise ValueError
                shares[key] = float(share)
        except ValueError:
            raise UsageError(
                f"recipe: train.layer_rates is {self.layer_rates!r}, expected "
                "each part once with a share of 0 or more, such as "
                "embeddings:0.1,0:0.1"
            ) from None
        return shares

    @property
    def microbatch_size(self) -> int:
        """Return the sequences of a batch whose gradients are accumulated."""
        return self.batch_size // self.gradient_accumulation

    @property
    def batches_per_execution(self) -> int:
        """Count the batches that `fit` trains on between two callbacks."""
        several = self.steps_per_execution > 1
        return self.steps_per_execution * (
            self.gradient_accumulation if several else 1
        )


@dataclasses.dataclass(frozen=True)
class CompressSpec(tfminilm.config.Typed):
    """Set what makes the student smaller, beside its shape.

    `sparsity` is the share of the weights in the encoder layers' kernels that
    become zero while it learns, the smallest ones; by `sparsity_schedule` it
    grows ("polynomial") or is there at once ("constant"). With
    `quantization_aware` it learns with kernels and activations of 8 bits, and
    its kernels end on the integers' grid: for a target of static int8.
    `trim_vocabulary` leaves out the word pieces that the stage's training data
    does not need, when it is saved; texts of the others give the same numbers.
    """

    sparsity: float = 0.0
    sparsity_schedule: str = "polynomial"
    quantization_aware: bool = False
    trim_vocabulary: bool = False


@dataclasses.dataclass(frozen=True)
class Stage(tfminilm.config.Typed):
    """Describe one distillation: teacher, student, method, data, training.

    `teacher` is a model as `tfminilm.teachers.load_backbone` takes it, or, in
    a recipe of several stages, the name of an earlier one: its student. For
    a task it is a model that was fine-tuned on it, and `teacher_labels` names
    its classes, with commas between them, where it does not. `more_teachers`
    are further models, with commas between them, of the same tokenizer: the
    student learns the mean of all logits, or embeddings, by `teacher_weights`,
    a number for each, the first for `teacher` (by default all alike). `method`
    is one of
    `tfminilm.methods`; in a config its class stands as `method.name`. A stage
    to `skip` is as if it were not there: where it would have given a later
    one's student its first weights, that one starts as it would have itself.
    """

    teacher: str = "bert_base_en_uncased"
    teacher_labels: str = ""
    more_teachers: str = ""
    teacher_weights: str = ""
    student: StudentSpec = StudentSpec()
    method: Any = tfminilm.config.one_of(  # noqa: RUF009 (a field)
        known_methods, "MiniLM"
    )
    data: DataSpec = DataSpec()
    train: TrainSpec = TrainSpec()
    compress: CompressSpec = CompressSpec()
    skip: bool = False

    @property
    def reads_masked(self) -> bool:
        """Tell whether the method learns from masked text, or pairs of it."""
        return self.method.reads in ("masked_text", "masked_pairs")

    @property
    def sources(self) -> dict[str, str]:
        """Return the models that the stage starts from, by their keys."""
        models = {"teacher": self.teacher}
        for key in ("init_from", "tokenizer"):
            if source := getattr(self.student, key):
                models[f"student.{key}"] = source
        return models
