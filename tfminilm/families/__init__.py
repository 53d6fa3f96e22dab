"""Families of models: a file or a folder each, and this list of them.

What differs between families stands in their own files alone, as the fields
of a `Family`; everyone else looks a model's family up here and asks it.
"""

import difflib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfminilm.errors import UserError
from tfminilm.families import (
    albert,
    bert,
    bilstm,
    deberta_v3,
    distilbert,
    electra,
    mobilebert,
    modernbert,
    mpnet,
    roberta,
    xlm_roberta,
)
from tfminilm.families.family import (
    Exposure,
    Family,
    Reader,
    Relative,
    Tokens,
)

if TYPE_CHECKING:
    import keras

    from tfminilm.families.backbones import Variants
    from tfminilm.families.hugging_face.checkpoint import Checkpoint
    from tfminilm.typing import Tokenizer

# A new family is one line here. In this order they are named to users.
FAMILIES: tuple[Family, ...] = (
    bert.FAMILY,
    distilbert.FAMILY,
    xlm_roberta.FAMILY,
    bilstm.FAMILY,
    mobilebert.FAMILY,
    albert.FAMILY,
    deberta_v3.FAMILY,
    electra.FAMILY,
    roberta.FAMILY,
    mpnet.FAMILY,
    modernbert.FAMILY,
)
# What a recipe may call a student's kind, and the one that it is by default.
STUDENT_KINDS = tuple(kind for family in FAMILIES for kind in family.students)
DEFAULT = bert.FAMILY
DEFAULT_KIND = STUDENT_KINDS[0]


def of_student(kind: str) -> Family:
    """Return the family of a student's kind.

    Raises:
        UserError: `kind` is none of `STUDENT_KINDS`.
    """
    for family in FAMILIES:
        if kind in family.students:
            return family
    raise UserError(
        f"no student is a {kind!r}: expected {' or '.join(STUDENT_KINDS)}"
    )


def of_backbone(backbone: "keras.Model") -> Family | None:
    """Return a model's family, or that of a class that it is made from.

    Returns:
        `None` for a model of no known family.
    """
    return _of_class(type(backbone), {f.backbone: f for f in FAMILIES})


def of_model_type(name: str) -> Family | None:
    """Return the family that `transformers` calls so, if it is known."""
    for family in FAMILIES:
        if family.hugging_face and name in family.hugging_face.model_types:
            return family
    return None


def of_tf1() -> Family:
    """Return the family whose TensorFlow 1 checkpoints are read."""
    return next(
        f for f in FAMILIES if f.hugging_face and f.hugging_face.reads_tf1
    )


def of_checkpoint(checkpoint: "Checkpoint") -> tuple[Family, Reader]:
    """Return the family of a folder's model, and what reads it.

    Raises:
        UserError: no family is called as its `config.json` says.
    """
    readers = {
        kind: (f, f.hugging_face.reader)
        for f in FAMILIES
        if f.hugging_face and f.hugging_face.reader
        for kind in f.hugging_face.model_types
    }
    kind = checkpoint.settings.get("model_type")
    if checkpoint.is_tf1:
        kind = next(x for x, (f, _) in readers.items() if f is of_tf1())
    if not isinstance(kind, str) or kind not in readers:
        more = ""
        if isinstance(kind, str) and kind:
            near = difflib.get_close_matches(kind.lower(), readers, 1, 0.0)
            more = f"; the nearest is {near[0]!r}"
        if checkpoint.settings.get("auto_map"):
            more += "; the model's own code, auto_map, is never run"
        shown = (
            repr(kind)[:80]
            if "model_type" in checkpoint.settings
            else "not there"
        )
        raise UserError(
            f"{checkpoint.settings_file}: model_type is {shown}, expected one "
            f"of {', '.join(sorted(readers))}{more}"
        )
    family, reader = readers[kind]
    return family, reader()


def of_tokenizer(tokenizer: "Tokenizer") -> Family | None:
    """Return a family that reads the tokens of such a tokenizer, if any."""
    return _of_class(type(tokenizer), {f.tokens.tokenizer: f for f in FAMILIES})


def tokens_of_model_type(name: str) -> Tokens | None:
    """Return what a model reads that `transformers` calls so, if it is known.

    A relative of a family has tokens of its own.
    """
    family = of_model_type(name)
    if family is None or family.hugging_face is None:
        return None
    relatives = {r.model_type: r.tokens for r in family.hugging_face.relatives}
    return relatives.get(name, family.tokens)


def relative(family: Family, tokenizer: "Tokenizer") -> Relative | None:
    """Return the relative of a family that has such a tokenizer, if any."""
    kept = family.hugging_face
    names = [base.__name__ for base in type(tokenizer).__mro__]
    for one in kept.relatives if kept else ():
        if one.tokens.tokenizer in names:
            return one
    return None


def tokens_of(tokenizer: "Tokenizer") -> Tokens | None:
    """Return the tokens of such a tokenizer, if they are known."""
    for family in FAMILIES:
        if one := relative(family, tokenizer):
            return one.tokens
    found = of_tokenizer(tokenizer)
    return found.tokens if found else None


def separators(tokenizer: "Tokenizer") -> int:
    """Count the end tokens between two texts that are read together."""
    tokens = tokens_of(tokenizer)
    return 1 if tokens is None else tokens.separators


def tiny_models() -> dict[str, Family]:
    """Return the families of the small random models `tiny:NAME`, by name."""
    return {f.name: f for f in FAMILIES if f.tokens.tiny == f.name}


def exportable() -> list[str]:
    """Return the names of the backbones that a phone can run."""
    return sorted(f.backbone for f in FAMILIES if f.mobile_graph)


@functools.cache
def exposures() -> tuple[Exposure, ...]:
    """Return the classes that show the inside of encoder layers, once each."""
    every = [f.exposure() for f in FAMILIES if f.exposure is not None]
    return tuple(dict.fromkeys(every))


def register() -> None:
    """Import the classes that Keras and KerasHub load by their names."""
    masked_lms()
    for family in FAMILIES:
        family.tokens.tokenizer_class()
    text_classifiers()
    variants()


def variants() -> list["Variants"]:
    """Return KerasHub's classes with activations and epsilons of their own."""
    from tfminilm.families import backbones

    return [backbones.variants(f) for f in FAMILIES if f.computes_with]


def masked_lms() -> dict[type, Any]:
    """Return the masked language models by the class of their backbone."""
    from tfminilm.families import backbones

    own = [f.masked_lm() for f in FAMILIES if f.masked_lm]
    own += [v.masked_lm for v in variants() if v.masked_lm]
    classes = _by_backbone("MaskedLM", own)
    # A class of this package takes KerasHub's backbone and the variant of it.
    return classes | {
        backbones.variants(f).backbone: f.masked_lm()
        for f in FAMILIES
        if f.masked_lm and f.computes_with
    }


def text_classifiers() -> dict[type, Any]:
    """Return the text classifiers by the class of their backbone."""
    own = own_text_classifiers()
    own += [v.text_classifier for v in variants() if v.text_classifier]
    return _by_backbone("TextClassifier", own)


def own_text_classifiers() -> list[Any]:
    """Return the classifiers of backbones for which KerasHub has none."""
    return [f.text_classifier() for f in FAMILIES if f.text_classifier]


def _by_backbone(task: str, own: list[Any]) -> dict[type, Any]:
    """Put this package's classes for a task beside KerasHub's."""
    import keras_hub

    models = vars(keras_hub.models).items()
    classes = [cls for name, cls in models if name.endswith(task)]
    return {c.backbone_cls: c for c in [*classes, *own] if c.backbone_cls}


def _of_class(cls: type, families: Mapping[str, Family]) -> Family | None:
    names = [base.__name__ for base in cls.__mro__]
    return next((families[name] for name in names if name in families), None)
