"""`tfminilm describe`: size and FLOPs of a model or a recipe's student."""

import json
from typing import Any

import ml_collections
from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Prints parameters, FLOPs and sizes of a model or a student."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir, KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_config_file(
        "config", None, "Recipe whose (last) student is described."
    )
    flags.DEFINE_list("lengths", ["32", "128"], "Lengths in tokens.")
    flags.DEFINE_integer(
        "vocabulary_size",
        None,
        "Tokens of a recipe's student (default: BERT's 30,522, or XLM-R's "
        "250,002; of --model it is known).",
        lower_bound=1,
    )
    flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def run(flags: flags.FlagValues) -> None:
    """Describe `--model` or the student of `--config`.

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


def _student(
    config: ml_collections.ConfigDict, vocabulary_size: int | None
) -> tuple[str, Any]:
    """Build the student of a recipe's last stage, without weights."""
    import keras

    from tfminilm import families
    from tfminilm.train.build import build_student
    from tfminilm.train.recipe import Recipe

    recipe = Recipe.parse(config)
    *_, last = recipe.runs().values()
    family = families.of_student(last.student.kind)
    # The size of the published model, which the papers' tables assume.
    size = family.tokens.vocabulary_size
    with keras.StatelessScope():
        backbone = build_student(last.student, vocabulary_size or size)
    return f"{recipe.name or 'recipe'} (student)", backbone
