"""Open whatever this package wrote or reads, to ask it."""

import os
import pathlib
from typing import TYPE_CHECKING

from tfminilm import quiet
from tfminilm.errors import UserError

if TYPE_CHECKING:
    from tfminilm.inference.model import TextModel
    from tfminilm.inference.parts import Parts


def load(
    source: str | os.PathLike, max_length: int | None = None
) -> "TextModel":
    """Open a model that takes texts as they are.

    Args:
        source: a workdir of `distill` or `finetune`, or `RUN@STEP`, one of its
            checkpoints; a KerasHub preset (folder or name); a Hugging Face
            folder; or what `export` wrote: a bundle (its folder, or a .zip of
            it), an ONNX folder or a SavedModel.
        max_length: tokens of the longest sequence, the special ones included;
            by default what the model was fine-tuned or exported with.

    Returns:
        A model with `predict`, `embed`, `similarity` and `search`.

    Raises:
        UserError: nothing is there, it is damaged or of a kind that is not
            read, or `max_length` is more than the model has positions for.
    """
    quiet.import_tensorflow()
    from tfminilm.inference import exported
    from tfminilm.inference.model import TextModel

    name = os.fspath(source)
    if max_length is not None and max_length < 1:
        raise UserError(f"max_length is {max_length}, expected 1 or more")
    parts = exported.open_export(name, max_length)
    if parts is None:
        parts = _open_keras(name, max_length)
    return TextModel(name, *parts)


def _open_keras(name: str, max_length: int | None) -> "Parts":
    """Open a Keras model: a run's, a preset's or a Hugging Face folder's."""
    from tfminilm import teachers
    from tfminilm.inference.parts import Parts, limited
    from tfminilm.inference.runtimes import KerasRuntime
    from tfminilm.tasks import heads
    from tfminilm.tasks.settings import SETTINGS, Settings
    from tfminilm.tasks.similarity import embedding_model
    from tfminilm.teachers.embedding import embedding_of
    from tfminilm.teachers.heads import find_head
    from tfminilm.teachers.load import hugging_face_folder
    from tfminilm.train.score import LONGEST_TEXT

    source = _single_run(name)
    if "@" in source:  # Else it is not worth its imports.
        from tfminilm.train import at_step

        source = at_step.folder_of(source)
    folder = source
    if not teachers.is_tiny(source):
        folder = hugging_face_folder(teachers.resolve(source))
    tokenizer = teachers.load_tokenizer(source)
    settings: Settings | None = None
    is_fine_tuned = pathlib.Path(folder, SETTINGS).is_file()
    if is_fine_tuned or find_head(folder) is not None:
        settings = Settings.load(folder)
        model = outputs = heads.load_head(folder)
        longest = settings.max_length
    else:
        model = teachers.load_backbone(source, dtype="float32")
        embedding = embedding_of(model)
        outputs = embedding_model(model, embedding)
        longest = embedding.max_length or LONGEST_TEXT
    backbone = getattr(model, "backbone", model)
    most = getattr(backbone, "max_sequence_length", None)
    settings, longest = limited(name, settings, longest, max_length, most)
    runtime = KerasRuntime(model, outputs, longest)
    return Parts(runtime, tokenizer, settings, longest)


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
