"""Write one loaded model for one target, whatever its format."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tfminilm.export.bundle import writer
from tfminilm.export.manifest import Evaluation, Manifest
from tfminilm.export.server import folder, masked_words
from tfminilm.export.source import Exportable
from tfminilm.export.target import TEXT_TASKS, Target
from tfminilm.export.text_tasks import writer as text_tasks

if TYPE_CHECKING:
    from tfminilm.export.bundle.reader import Bundle
    from tfminilm.export.check.calibration import Texts


def write(
    source: Exportable,
    target: Target,
    output_dir: str | os.PathLike,
    texts: "Sequence[str] | Sequence[Texts]",
    description: str,
    evaluate: "Callable[[Bundle], Evaluation] | None" = None,
) -> Manifest:
    """Write a model, compared with Keras, and return its manifest.

    A head for masked words is left out of all but a Hugging Face folder.

    Args:
        source: of `load_exportable`; it serves any number of targets.
        target: what is written, and how exactly.
        output_dir: as `export_bundle` takes it.
        texts: what parity with Keras is checked on.
        description: a sentence on the model, for people.
        evaluate: scores a bundle on its task; other formats have no scores.

    Raises:
        UserError: the target has no such model, or it is not near enough to
            Keras. Nothing is written then.
    """
    model = source.model
    if target.format != "hugging_face" and masked_words.is_masked_lm(model):
        model = model.backbone
    arguments = (
        model,
        source.tokenizer,
        target,
        output_dir,
        texts,
        source.settings,
        description,
    )
    if target.format == "litert":
        return writer.export_bundle(*arguments, evaluate, source.ranges)
    if target.format in TEXT_TASKS:
        return text_tasks.export_text_task(*arguments)
    return folder.export_folder(*arguments)
