"""`tfminilm publish`: write a model as a folder for the Hugging Face Hub."""

import pathlib

from absl import flags

from tfminilm import quiet
from tfminilm.commands import task_flags
from tfminilm.errors import UsageError

DESCRIPTION = "Writes a folder for the Hugging Face Hub, with a model card."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Workdir of distill or finetune, or RUN@STEP, one of its checkpoints; "
        "KerasHub preset folder or name, or Hugging Face folder.",
    )
    flags.DEFINE_string("output", None, "Folder of the writer.")
    flags.DEFINE_string(
        "license",
        None,
        "The model's licence by its short name on the Hub, such as "
        "apache-2.0, mit or other.",
    )
    flags.DEFINE_list(
        "language", None, "Of its texts: ISO 639 codes, such as en,de."
    )
    flags.DEFINE_string(
        "repository", None, "Where it will be on the Hub: OWNER/NAME."
    )
    flags.DEFINE_string(
        "base_model",
        None,
        "What it learned from, OWNER/NAME on the Hub; by default what its run "
        "says, if that came from the Hub.",
    )
    flags.DEFINE_list(
        "datasets", None, "What it learned from: names on the Hub."
    )
    flags.DEFINE_string("intended_use", None, "A sentence: what it is for.")
    flags.DEFINE_string("limits", None, "A sentence: what it is not for.")
    flags.DEFINE_string(
        "description",
        None,
        "A sentence about the model; by default it is generated.",
    )
    task_flags.define_head(flags)


def run(flags: flags.FlagValues) -> None:
    """Write the folder, and say how it is uploaded.

    Raises:
        UsageError: a flag is missing or malformed.
        UserError: the model cannot be loaded or written.
    """
    for name, meaning in (
        ("model", "a workdir, preset or Hugging Face folder"),
        ("output", "the folder to write"),
        (
            "license",
            "such as apache-2.0: those of its teacher and its data count too",
        ),
    ):
        if not getattr(flags, name):
            raise UsageError(f"publish: expected --{name}=, {meaning}")
    from tfminilm.export.card.options import CardOptions

    options = CardOptions(
        license=flags.license,
        languages=tuple(flags.language or ()),
        repository=flags.repository or "",
        base_model=flags.base_model or "",
        datasets=tuple(flags.datasets or ()),
        intended_use=flags.intended_use or "",
        limits=flags.limits or "",
    )
    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.export.bundle.replaceable import require_replaceable
    from tfminilm.export.card.publish import publish
    from tfminilm.export.server.masked_words import OUTPUT
    from tfminilm.export.source import left_out
    from tfminilm.train import at_step

    require_replaceable(pathlib.Path(flags.output))
    manifest = publish(
        flags.model,
        flags.output,
        options,
        flags.description or "",
        flags.labels or (),
        part := getattr(flags, "as") or "",
    )
    source = at_step.folder_of(flags.model)
    has_head = manifest.task_name is not None or (
        manifest.parity is not None and OUTPUT in manifest.parity.outputs
    )
    if not part and (line := left_out(source, has_head)):
        print(line)
    name = options.repository or "OWNER/NAME"
    print(
        f"{flags.output}: complete; to upload it: hf upload {name} "
        f"{flags.output}"
    )
