"""Define recipes: one stage of distillation, or several in a row.

A recipe is a Python file whose `get_config()` returns `Recipe(...).config()`,
an ml_collections `ConfigDict`, so that every field is also a flag
(`--config.train.steps=1000`). `Recipe.parse` reads it back into the frozen,
typed form which the rest of the code sees.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import ml_collections

import tfminilm.config
from tfminilm.errors import UsageError
from tfminilm.train.checks import check_ranges, check_stages, kept
from tfminilm.train.stage import (
    CompressSpec,
    DataSpec,
    Stage,
    StudentSpec,
    TrainSpec,
)

__all__ = [
    "CompressSpec",
    "DataSpec",
    "Recipe",
    "Stage",
    "StudentSpec",
    "TrainSpec",
]


@dataclasses.dataclass(frozen=True)
class Recipe(Stage):
    """Describe a run: a stage of its own, or `stages` by name, in order.

    With several, each runs in a folder of its name, and a later one may take
    its teacher, or its student's first weights, from an earlier one by that
    name. The last one's student is the run's. Their keys are flags, too:
    `--config.stages.NAME.train.steps=1000`; `--config.teacher=MODEL` replaces
    the teacher of all stages but those that learn from an earlier one.
    """

    name: str = ""
    seed: int = 0
    stages: dict[str, Stage] = dataclasses.field(default_factory=dict)

    def config(self, mode: str = "") -> ml_collections.ConfigDict:
        """Return the recipe as the `ConfigDict` of `get_config()`.

        Mode "smoke" (`--config=RECIPE:smoke`) shrinks it to a run of seconds
        that needs no network.
        """
        if mode not in ("", "smoke"):
            raise UsageError(f"recipe: mode is {mode!r}, expected smoke")
        values = (self._smoke() if mode else self).to_dict()
        if "stages" in values:  # By default keys are sorted.
            values["stages"] = ml_collections.ConfigDict(
                values["stages"], sort_keys=False
            )
            values["teacher"] = ""
        return ml_collections.ConfigDict(values)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested mappings; `parse` reads it back."""
        values = tfminilm.config.to_dict(self)
        if self.stages:
            return {key: values[key] for key in ("name", "seed", "stages")}
        del values["stages"]
        return values

    def runs(self) -> dict[str, "Recipe"]:
        """Return each stage by name as a recipe; a single one has no name."""
        if not self.stages:
            return {"": self}
        return {
            name: Recipe(
                **{
                    field.name: getattr(stage, field.name)
                    for field in dataclasses.fields(Stage)
                },
                name=f"{self.name}/{name}",
                seed=self.seed,
            )
            for name, stage in self.stages.items()
        }

    def _with_teacher(self, teacher: str) -> "Recipe":
        """Return the recipe with stages that learn from `teacher`, if given."""
        stages = {
            name: dataclasses.replace(stage, teacher=teacher)
            if teacher and stage.teacher not in self.stages
            else stage
            for name, stage in self.stages.items()
        }
        return Recipe(name=self.name, seed=self.seed, stages=stages)

    def _smoke(self) -> "Recipe":
        from tfminilm.train import smoke

        stages = smoke.shrink(self.stages or {"": self})
        if not self.stages:
            return stages[""]
        return dataclasses.replace(self, stages=stages)

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Recipe":
        """Read a nested mapping into a checked recipe, less what it skips.

        Raises:
            UsageError: an unknown key (the nearest known one is named), a
                value of the wrong type, one outside its range, or a stage
                that cannot follow on the ones before it.
        """
        recipe = tfminilm.config.parse(cls, config, "recipe")
        if recipe.stages:
            recipe = recipe._with_teacher(config.get("teacher", ""))
        flat = {"student", "method", "data", "train"} & set(config)
        if recipe.stages and flat:
            raise UsageError(
                f"recipe: it has stages and a {min(flat)} beside them: "
                "give each stage its own"
            )
        check_stages(recipe.stages)
        recipe = dataclasses.replace(recipe, stages=kept(recipe.stages))
        if recipe.skip:
            raise UsageError("recipe: skip is True, and there is one stage")
        if not 0 <= recipe.seed < 2**32:
            raise UsageError(
                f"recipe: seed is {recipe.seed!r}, expected 0 to 2**32 - 1"
            )
        for name, stage in (recipe.stages or {"": recipe}).items():
            check_ranges(stage, f"stages.{name}." if name else "")
        return recipe
