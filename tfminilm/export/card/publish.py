"""Write a folder that is complete for the Hugging Face Hub."""

import os
import pathlib
from collections.abc import Sequence

from tfminilm import families
from tfminilm.export.bundle import description
from tfminilm.export.card import facts, page
from tfminilm.export.card.options import CardOptions
from tfminilm.export.manifest import Manifest
from tfminilm.export.server.folder import export_folder
from tfminilm.export.source import load_exportable
from tfminilm.export.target import Target
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

    Returns:
        The manifest, with what was compared.

    Raises:
        UserError: there is no such model, a Hugging Face folder cannot hold
            it, or `output_dir` holds something else. Nothing is written then.
    """
    run = at_step.run_of(source)
    model, tokenizer, settings, _ = load_exportable(
        at_step.folder_of(source), "", labels
    )
    backbone = getattr(model, "backbone", model)
    family = families.of_backbone(backbone)
    sentence = sentence or description.describe(model, run)
    longest = backbone.max_sequence_length

    def write_card(folder: pathlib.Path) -> None:
        subject = page.Subject(
            folder,
            sentence,
            settings,
            longest,
            has_bundle=family is not None and family.mobile_graph is not None,
        )
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
