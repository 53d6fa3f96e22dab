"""`tfminilm prepare`: turn text into shards, which distill reads shuffled."""

import dataclasses
import time
from collections.abc import Sequence

from absl import flags

from tfminilm import quiet
from tfminilm.data.shards.settings import DUPLICATES
from tfminilm.errors import UsageError

DESCRIPTION = "Tokenises, packs and shards text, on many cores or machines."
# Arguments after "--" are passed on to Beam.
TAKES_MORE = True


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "input",
        None,
        'Text: "docs", a folder of .txt files (one paragraph a line, a blank '
        "line between documents; without any it is cut at line ends), "
        '"tfds:NAME", or several with commas between.',
    )
    flags.DEFINE_string(
        "output", None, "Folder of the shards, for --config.data.source=shards:"
    )
    flags.DEFINE_string(
        "tokenizer", None, "The teacher, as a recipe names it: its tokenizer."
    )
    flags.DEFINE_integer(
        "sequence_length", 512, "Token ids in a sequence, special ones too."
    )
    flags.DEFINE_integer("seed", 0, "Decides which documents are held out.")
    flags.DEFINE_float("held_out_fraction", 0.02, "Share of the documents.")
    flags.DEFINE_enum(
        "duplicates", "documents", DUPLICATES, "What is dropped if it repeats."
    )
    flags.DEFINE_float(
        "shard_megabytes", 8.0, "Approximate size of the text in a shard."
    )
    flags.DEFINE_integer(
        "masked_copies",
        0,
        "Masks every sequence this many times in advance; with 0 it is masked "
        "in training, differently each time, which learns more from a text.",
    )
    flags.DEFINE_float("mask_rate", 0.15, "Share of the tokens, in copies.")
    flags.DEFINE_bool("whole_words", True, "Masks whole words in copies.")
    flags.DEFINE_bool(
        "next_sentence", False, "Makes the copies pairs of texts."
    )
    flags.DEFINE_string(
        "runner",
        "DirectRunner",
        "Runner of Apache Beam. Beam's flags follow after --, as in: -- "
        "--direct_num_workers=4. All workers must see the same folders.",
    )


def run(flags: flags.FlagValues, beam_flags: Sequence[str] = ()) -> None:
    """Prepare the shards, or continue, and print what the folder holds.

    Raises:
        UsageError: a flag is missing or out of range.
        UserError: the text cannot be read, or the folder cannot be written.
    """
    from tfminilm.data import shards

    for name in ("input", "output", "tokenizer"):
        if not getattr(flags, name):
            raise UsageError(
                f"prepare: expected --input=TEXT, --output=FOLDER and "
                f"--tokenizer=TEACHER, and --{name} is missing"
            )
    names = [field.name for field in dataclasses.fields(shards.Settings)]
    values = {name: getattr(flags, name) for name in names if name != "source"}
    settings = shards.Settings(source=flags.input, **values)
    quiet.import_tensorflow()
    from tfminilm.train.progress import Progress

    start = time.monotonic()
    with Progress() as progress, progress.pieces("parts") as show:
        manifest = shards.prepare(
            settings, flags.output, flags.runner, beam_flags, show
        )
    for name, split in (
        ("train", manifest.train),
        ("held out", manifest.held_out),
    ):
        print(
            f"{name:8} {split.documents:,} documents, {split.tokens:,} tokens, "
            f"{split.sequences:,} sequences, {len(split.shards):,} shards"
        )
    print(
        f"dropped  {manifest.dropped:,} repeated {settings.duplicates}\n"
        f"{flags.output} in {time.monotonic() - start:.0f} s"
    )
