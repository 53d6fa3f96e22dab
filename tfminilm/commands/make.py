"""`tfminilm make`: from labelled text to a checked bundle and its page."""

import dataclasses

from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError
from tfminilm.pipeline.options import Options

DESCRIPTION = "Makes a small model from a file of labelled text."

_HELP = {
    "teacher": "What is fine-tuned to teach: a workdir, KerasHub preset or "
    "Hugging Face folder.",
    "num_layers": "Layers of the student (0: half of the teacher's).",
    "max_length": "Longest text in tokens (0: what 99 of 100 texts need).",
    "epochs": "Rounds of fine-tuning the teacher (0: by the number of texts).",
    "batch_size": "Texts in a step.",
    "learning_rate": "Peak of the learning rate of the teacher (0: by its "
    "width); the student's is twice as high, a new head's ten times.",
    "budget_mb": "Largest size of the model's file, in MB.",
    "max_drop": "Points of accuracy that rounding may cost.",
    "minutes": "What training may take, as far as can be told.",
    "precision": "Of the computation in training: auto (the fastest here), "
    "float32, mixed_bfloat16 or mixed_float16.",
    "seed": "Of the split and the training.",
    "kind": "What the labels are: classification (one of several classes), "
    "multi_label (any number of them), regression (a number) or "
    "token_classification (names in a text); by default as they look.",
    "label_separator": "What stands between several labels in a field, such "
    "as ; (by default what does, ; or |).",
    "soft_labels": "What the numbers in several --label columns are: "
    "probabilities, or logits.",
    "class_weights": "How much an example of a class counts: balanced (rare "
    "classes as much as others), or as in a:2,b:0.5 (the others 1).",
    "oversampling": "Repeat the texts of rare classes: 1 for as many of each "
    "as of the most frequent, 0.5 for half of the way, 0 for none.",
    "label_smoothing": "Share of a label that all classes get alike.",
    "focal_gamma": "Exponent of the focal loss, such as 2 (0: cross-entropy).",
    "best_by": "End each training with the best of the models that were "
    "scored, by this metric, such as macro_f1 (by default with the last).",
    "patience": "Stop a training after so many evaluations in a row that were "
    "not the best by --best_by (0: never).",
}


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "data",
        None,
        "Labelled text: a .csv, .tsv, .jsonl or .parquet file; or texts with "
        "tags: a .conll file, or a .jsonl file with spans or tags.",
    )
    flags.DEFINE_list(
        "text", ["text"], "The column of the text, or the two columns."
    )
    flags.DEFINE_list(
        "label",
        None,
        "The column of what to predict (label), or a column for each class.",
    )
    flags.DEFINE_list(
        "probabilities",
        [],
        "Columns of a probability for each class, beside the label's.",
    )
    flags.DEFINE_string(
        "output", None, "New folder for all that is made, or to go on in."
    )
    flags.DEFINE_string(
        "unlabeled",
        None,
        "More text without labels, to learn from first: a .txt file or a "
        "folder of them.",
    )
    flags.DEFINE_string(
        "group", None, "A column whose equal values stay in one split."
    )
    flags.DEFINE_bool(
        "site",
        False,
        "Also write a page that runs the bundle in the browser, into the "
        "folder site; npm fetches what it runs on.",
    )
    kinds = {
        str: flags.DEFINE_string,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
    }
    for field in dataclasses.fields(Options):
        define = kinds[type(field.default)]
        define(field.name, field.default, _HELP[field.name])


def run(flags: flags.FlagValues) -> None:
    """Make the student, its bundle and the page.

    Raises:
        UsageError: a flag is missing.
        UserError: the data cannot be used, or a step fails.
    """
    if not flags.data:
        raise UsageError("make: expected --data=, a file of labelled text")
    if not flags.output:
        raise UsageError("make: expected --output=, a folder for the results")
    names = [field.name for field in dataclasses.fields(Options)]
    options = Options(**{name: getattr(flags, name) for name in names})
    quiet.import_tensorflow()
    from tfminilm.pipeline.make import make

    make(
        flags.data,
        flags.text,
        flags.label,
        flags.output,
        unlabeled=flags.unlabeled,
        group=flags.group,
        probabilities=flags.probabilities,
        options=options,
        site=flags.site,
    )
