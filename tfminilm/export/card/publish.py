"""Write a folder that is complete for the Hugging Face Hub."""

import os
import pathlib
from collections.abc import Sequence

import keras

from tfminilm import families
from tfminilm.errors import UsageError
from tfminilm.export.bundle import description
from tfminilm.export.card import facts, page, usage
from tfminilm.export.card.options import CardOptions
from tfminilm.export.manifest import Manifest
from tfminilm.export.server import masked_words
from tfminilm.export.server.folder import export_folder
from tfminilm.export.source import load_exportable
from tfminilm.export.target import Target
from tfminilm.tasks.kinds import kind_of_head
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.teachers import load
from tfminilm.teachers.embedding import MODULES
from tfminilm.train import at_step
from tfminilm.typing import Source

# In tokens: the folder is compared with Keras at these lengths.
_LENGTHS = (32, 128)


def publish(
    source: Source,
    output_dir: str | os.PathLike,
    options: CardOptions,
    sentence: str = "",
    labels: Sequence[str] = (),
    part: str = "",
) -> Manifest:
    """Write weights, tokenizer, settings and card of a model.

    The folder is read back and compared with Keras before it appears, as by
    `tfminilm export --config=hugging_face`. With `huggingface_hub` it is
    uploaded by `upload_folder(repo_id="OWNER/NAME", folder_path=output_dir)`.

    Args:
        source: the model, as `teachers.load_backbone` takes it, or `RUN@STEP`.
        output_dir: a new folder, an empty one, or an older export, which is
            replaced.
        options: what the card says that no file knows.
        sentence: what it says first; by default the model's size and history.
        labels: what the model's classes are called, if it does not say so.
        part: "encoder" for the encoder below a head; "task" where there has
            to be a head for a task; empty for all that is there.

    Returns:
        The manifest, with what was compared.

    Raises:
        UserError: there is no such model, a Hugging Face folder cannot hold
            it, or `output_dir` holds something else. Nothing is written then.
    """
    if not options.license:
        raise UsageError(
            "publish: expected a license, such as apache-2.0: those of the "
            "model's teacher and its data count too"
        )
    run = at_step.run_of(source)
    model, tokenizer, settings, _ = load_exportable(
        at_step.folder_of(source), part, labels, masked_words=True
    )
    longest = getattr(model, "backbone", model).max_sequence_length
    sentence = sentence or description.describe(model, run)

    def write_card(folder: pathlib.Path) -> None:
        embeds = (folder / MODULES).is_file()
        subject = _subject(folder, model, settings, sentence, embeds=embeds)
        page.write(subject, facts.collect(run), options)

    target = Target(
        name="hugging_face",
        format="hugging_face",
        lengths=tuple({min(length, longest) for length in _LENGTHS}),
    )
    return export_folder(
        model,
        tokenizer,
        target,
        output_dir,
        settings=settings,
        description=sentence,
        write_more=write_card,
    )


def write_beside(student: keras.Model | None, workdir: Source) -> None:
    """Write a card into the folder of a run's student, once.

    A `README.md` that is there stays as it is.

    Args:
        student: the run's, as it was saved; None to load it.
        workdir: its run's, finished.

    Raises:
        UserError: a file of the run is damaged, or the disk is full.
    """
    folder = load.run_folder(workdir) / "student"
    if (folder / page.CARD).exists():
        return
    settings = Settings.load(folder) if has_head(folder) else None
    if student is None:
        student = load_exportable(folder).model
    sentence = ""
    if hasattr(getattr(student, "backbone", student), "num_layers"):
        sentence = description.describe(student, workdir)
    subject = _subject(
        folder, student, settings, sentence, in_transformers=False
    )
    page.write(subject, facts.collect(workdir), CardOptions())


def _subject(
    folder: pathlib.Path,
    model: keras.Model,
    settings: Settings | None,
    sentence: str,
    embeds: bool = False,
    in_transformers: bool = True,
) -> page.Subject:
    """Return what a card says of a model in a folder."""
    backbone = getattr(model, "backbone", model)
    family = families.of_backbone(backbone)
    kind = kind_of_head(model)
    head = usage.ENCODER if kind is None else kind.transformers_head
    if masked_words.is_masked_lm(model):
        head = masked_words.SUFFIX
    return page.Subject(
        folder,
        sentence,
        settings,
        max_length=getattr(backbone, "max_sequence_length", None) or 0,
        has_bundle=family is not None and family.mobile_graph is not None,
        head=head,
        embeds=embeds,
        in_transformers=in_transformers,
    )
