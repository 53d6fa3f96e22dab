"""Open whatever this package wrote or reads, to ask it."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfminilm import quiet
from tfminilm.errors import UserError

if TYPE_CHECKING:
    from tfminilm.inference.model import TextModel
    from tfminilm.inference.parts import Parts


def load(
    source: str | os.PathLike,
    max_length: int | None = None,
    part: str = "",
    labels: Sequence[str] = (),
) -> "TextModel":
    """Open a model that takes texts as they are.

    Args:
        source: a workdir of `distill` or `finetune`, or `RUN@STEP`, one of its
            checkpoints; a KerasHub preset (folder or name); a Hugging Face
            folder; or what `export` wrote: a bundle (its folder, or a .zip of
            it), an ONNX folder, a SavedModel, or a folder in the Hub's layout
            without PyTorch's weights, or one of its `onnx/*.onnx` files.
        max_length: tokens of the longest sequence, the special ones included;
            by default what the model was fine-tuned or exported with.
        part: "encoder" for the encoder below a head, whose states embed texts;
            "task" where there has to be a head; empty for all that is there.
        labels: what the model's classes are called, if it does not say so.

    Returns:
        A model with `predict`, `embed`, `similarity` and `search`.

    Raises:
        UserError: nothing is there, it is damaged or of a kind that is not
            read, or `max_length` is more than the model has positions for.
    """
    quiet.import_tensorflow()
    from tfminilm.inference import exported, hub_folder
    from tfminilm.inference.model import TextModel

    name = os.fspath(source)
    if max_length is not None and max_length < 1:
        raise UserError(f"max_length is {max_length}, expected 1 or more")
    parts = hub_folder.open_onnx(name, max_length)
    parts = parts or exported.open_export(name, max_length)
    if parts is None:
        parts = _open_keras(name, max_length, part, labels)
    elif part or labels:
        raise UserError(
            f"{name} is what export wrote, so that part= and labels= have no "
            "effect: give them where it is exported"
        )
    return TextModel(name, *parts)


def _open_keras(
    name: str, max_length: int | None, part: str, labels: Sequence[str]
) -> "Parts":
    """Open a Keras model: a run's, a preset's or a Hugging Face folder's."""
    from tfminilm.export.manifest_parts import SentenceEmbedding
    from tfminilm.export.source import load_exportable
    from tfminilm.inference.parts import Parts, limited
    from tfminilm.inference.runtimes import KerasRuntime
    from tfminilm.tasks.similarity import embedding_model
    from tfminilm.teachers.embedding import embedding_of
    from tfminilm.train.score import LONGEST_TEXT

    source = _single_run(name)
    if "@" in source:  # Else it is not worth its imports.
        from tfminilm.train import at_step

        source = at_step.folder_of(source)
    model, tokenizer, settings, _ = load_exportable(source, part, labels)
    shown, prompts = None, None
    if settings is None:
        embedding = embedding_of(model)
        shown = SentenceEmbedding(
            embedding.pooling, embedding.normalize, embedding.prompt or None
        )
        prompts = embedding.prompts
        outputs = embedding_model(model, embedding)
        longest = embedding.max_length or LONGEST_TEXT
    else:
        outputs, longest = model, settings.max_length
    backbone = getattr(model, "backbone", model)
    most = getattr(backbone, "max_sequence_length", None)
    settings, longest = limited(name, settings, longest, max_length, most)
    runtime = KerasRuntime(model, outputs, longest)
    return Parts(runtime, tokenizer, settings, longest, shown, prompts or {})


def _single_run(name: str) -> str:
    """Return a workdir's only run, if it holds runs of several seeds.

    Raises:
        UserError: it holds several.
    """
    runs = sorted(pathlib.Path(name).glob("seed-*/recipe.json"))
    if not runs or pathlib.Path(name, "recipe.json").is_file():
        return name
    if len(runs) > 1:
        raise UserError(
            f"{name} holds the runs of {len(runs)} seeds: name one of them, "
            f"such as {runs[0].parent}"
        )
    return str(runs[0].parent)
