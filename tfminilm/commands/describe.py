"""`tfminilm describe`: what a model, or a recipe's student, costs."""

import json
from typing import Any

from tfminilm.commands import quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Prints parameters, FLOPs and sizes of a model or a student."

# The vocabulary of BERT's English models, which the papers' tables assume.
_VOCABULARY_SIZE = 30522


def define_flags(flags: Any) -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir, KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_config_file(
        "config", None, "Recipe whose student is described."
    )
    flags.DEFINE_list("lengths", ["32", "128"], "Lengths in tokens.")
    flags.DEFINE_integer(
        "vocabulary_size",
        _VOCABULARY_SIZE,
        "Tokens of a recipe's student (of --model it is known).",
        lower_bound=1,
    )
    flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def run(flags: Any) -> None:
    """Describes `--model` or the student of `--config`.

    Raises:
        UsageError: neither or both are given.
        UserError: the model cannot be loaded or described.
    """
    from tfminilm.report import describe, terminal

    if bool(flags.model) == bool(flags.config):
        raise UsageError(
            "describe: expected one of --model=M (a model) and --config=R "
            f"(a recipe's student), got {'both' if flags.model else 'neither'}"
        )
    lengths = describe.parse_lengths(flags.lengths)
    quiet.import_tensorflow()
    if flags.model:
        from tfminilm.teachers.load import load_backbone

        name, backbone = flags.model, load_backbone(flags.model)
    else:
        name, backbone = _student(flags.config, flags.vocabulary_size)
    description = describe.describe(backbone, lengths)
    if flags.json:
        print(json.dumps({"model": name, **description.as_json()}, indent=2))
    else:
        terminal.print_description(name, description)


def _student(config: Any, vocabulary_size: int) -> tuple[str, Any]:
    """The student of a recipe: its shape alone, no weights are made."""
    import keras

    from tfminilm import students
    from tfminilm.train.recipe import Recipe

    recipe = Recipe.parse(config)
    spec = recipe.student
    with keras.StatelessScope():
        backbone = students.bert(
            num_layers=spec.num_layers,
            hidden_dim=spec.hidden_dim,
            num_heads=spec.num_heads,
            intermediate_dim=spec.intermediate_dim,
            max_sequence_length=spec.max_sequence_length,
            vocabulary_size=vocabulary_size,
        )
    return f"{recipe.name or 'recipe'} (student)", backbone
