"""`tfminilm make`: from labelled text to a checked bundle and its page."""

import dataclasses

from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError
from tfminilm.pipeline.options import Options

DESCRIPTION = "Makes a small classifier from a file of labelled text."

_HELP = {
    "teacher": "What is fine-tuned to teach: a workdir, KerasHub preset or "
    "Hugging Face folder.",
    "num_layers": "Layers of the student (0: half of the teacher's).",
    "max_length": "Longest text in tokens (0: what 99 of 100 texts need).",
    "epochs": "Rounds of fine-tuning the teacher (0: by the number of texts).",
    "batch_size": "Texts in a step.",
    "learning_rate": "Peak of the learning rate of the teacher; the student's "
    "is twice as high.",
    "budget_mb": "Largest size of the model's file, in MB.",
    "max_drop": "Points of accuracy that rounding may cost.",
    "minutes": "What training may take, as far as can be told.",
    "precision": "Of the computation in training: auto (the fastest here), "
    "float32, mixed_bfloat16 or mixed_float16.",
    "seed": "Of the split and the training.",
}


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "data", None, "Labelled text: a .csv, .tsv, .jsonl or .parquet file."
    )
    flags.DEFINE_list(
        "text", ["text"], "The column of the text, or the two columns."
    )
    flags.DEFINE_string("label", "label", "The column of the class.")
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
        options=options,
    )
