"""Describe targets: for which device a model is written, and how exactly.

A target is a Python file whose `get_config()` returns `Target(...).config()`;
see the folder `export/`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import ml_collections

import tfminilm.config
from tfminilm.errors import UsageError

TEXT_TASKS = ("mediapipe_classifier", "mediapipe_embedder", "task_library")
# Folders in the layout of the Hugging Face Hub.
OF_HUB = (
    "hugging_face",
    "sentence_transformers",
    "transformers_js",
    "onnx_int8",
)
FORMATS = ("litert", "onnx", "saved_model", *OF_HUB, *TEXT_TASKS)
STATIC = "static_wi8_ai8"
INT8_PRECISION = "dynamic_wi8_afp32"
PRECISIONS = (
    "float32",
    "float16",
    INT8_PRECISION,
    "dynamic_wi4_afp32",
    "weight_only_wi8_afp32",
    STATIC,
)
# Of formats that have others than float32.
_PRECISIONS = {
    "litert": PRECISIONS,
    "onnx_int8": (INT8_PRECISION,),
    # Their scales are not measured: there is no bundle that says on what.
    "mediapipe_classifier": PRECISIONS[:-1],
    "mediapipe_embedder": PRECISIONS[:-1],
    # Its runtime, of 2023, refuses products with integers.
    "task_library": ("float32", "float16", "weight_only_wi8_afp32"),
}


@dataclasses.dataclass(frozen=True)
class Target(tfminilm.config.Typed):
    """Describe what `tfminilm export` writes, and how near to Keras it must be.

    `format` is litert, the bundle of a phone; one of `TEXT_TASKS`, a file for
    a client that cuts texts itself, of one length; or for other machines onnx,
    saved_model or one of `OF_HUB`: those are float32, but for onnx_int8, and
    take any length.
    `precision` is one of `PRECISIONS`, explained in `litert/quantize.py`, and
    `layers` what single layers have instead, named as by its `plan`:
    {"tokens": "dynamic_wi4_afp32"} makes a table of 4 bits. There is one
    signature per length, in tokens; the other formats are checked at these.
    `max_difference` bounds each number of each output, in units of the
    output's root mean square where that is above 1; `min_cosine` the cosine
    of each vector (a token's state, or a sentence's) with Keras';
    `min_agreement` the share of a task's answers (classes, or places of an
    answer's start and end) that are Keras'.
    """

    name: str = ""
    format: str = "litert"
    precision: str = "float32"
    layers: dict[str, str] = dataclasses.field(default_factory=dict)
    lengths: tuple[int, ...] = (32, 128)
    max_difference: float = 1e-4
    min_cosine: float = 0.9999
    min_agreement: float = 1.0

    @property
    def is_of_hub(self) -> bool:
        """Tell whether it is a folder in the layout of the Hub."""
        return self.format in OF_HUB

    def for_int8(self) -> "Target":
        """Return it with the limits of `export/onnx_int8.py`.

        They are those of the int8 file in a folder that has both.
        """
        return dataclasses.replace(
            self, max_difference=1.0, min_cosine=0.97, min_agreement=0.8
        )

    @property
    def activations(self) -> str:
        """The number format of activations.

        "float16"; "int8", by scales that are measured beforehand; or
        "float32": they are not rounded, or by scales of the running text.
        """
        if self.precision == "float16":
            return "float16"
        chosen = {self.precision, *self.layers.values()}
        return "int8" if STATIC in chosen else "float32"

    def config(self, mode: str = "") -> ml_collections.ConfigDict:
        """Return the target as the `ConfigDict` that `get_config()` returns.

        Args:
            mode: "" for the target as it is; "smoke" for one short length,
                which converts in seconds (`--config=android_int8:smoke`).

        Raises:
            UsageError: another mode.
        """
        if mode not in ("", "smoke"):
            raise UsageError(f"target: unknown mode {mode!r}, expected smoke")
        target = dataclasses.replace(self, lengths=(8,)) if mode else self
        return ml_collections.ConfigDict(dataclasses.asdict(target))

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Target":
        """Read a mapping into a checked target.

        Raises:
            UsageError: an unknown key (the nearest known one is named), a
                value of the wrong type, or one outside its range.
        """
        target = tfminilm.config.parse(cls, config, "target")
        _require(
            target.format in FORMATS, target, "format", " | ".join(FORMATS)
        )
        is_litert = target.format == "litert"
        precisions = _PRECISIONS.get(target.format, ("float32",))
        _require(
            target.precision in precisions,
            target,
            "precision",
            f"{' | '.join(precisions)} for {target.format}",
        )
        # The converter writes a file in float16 as a whole, or not at all.
        mixable = set(PRECISIONS) - {"float16"}
        mixed = {target.precision, *target.layers.values()}
        _require(
            not target.layers or (is_litert and mixed <= mixable),
            target,
            "layers",
            f"none, or {' | '.join(sorted(mixable))} by layer, for litert",
        )
        _require(
            bool(target.lengths) and min(target.lengths) >= 1,
            target,
            "lengths",
            "one or more, each 1 or more",
        )
        is_text_task = target.format in TEXT_TASKS
        _require(
            not is_text_task
            or (len(target.lengths) == 1 and target.lengths[0] > 1),
            target,
            "lengths",
            f"one of 2 or more, such as 128, for {target.format}",
        )
        _require(target.max_difference > 0, target, "max_difference", "above 0")
        _require(
            -1 <= target.min_cosine < 1,
            target,
            "min_cosine",
            "-1 to 1, below 1",
        )
        _require(
            0 <= target.min_agreement <= 1, target, "min_agreement", "0 to 1"
        )
        return target


def _require(is_met: bool, target: Target, name: str, expected: str) -> None:
    if not is_met:
        raise UsageError(
            f"target: {name} is {getattr(target, name)!r}, expected {expected}"
        )
