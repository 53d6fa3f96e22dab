"""Read text from a TensorFlow Datasets data set."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tfminilm.data import endings
from tfminilm.data.sentences import split_sentences
from tfminilm.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

_LOG = logging.getLogger(__name__)

# A version after the name and a slice after the split have colons too:
# "wiki40b/en:1.3.0:train[:5%]:text".
_SPEC = re.compile(
    r"(?P<name>[^:\s]+(?::\d[\d.*]*)?)"
    r"(?::(?P<split>[^:\[\]]+(?:\[[^\]]*\])?))?"
    r"(?::(?P<key>[^:\[\]]+))?"
)


def documents(spec: str) -> Iterator[list[str]]:
    """Yield one document for each example; its lines are paragraphs.

    Args:
        spec: "NAME[/config][:version][:split][:text_key]". The split is
            "train" unless given; the key may be left out when the data set
            has one text feature, or one called "text".

    Raises:
        UserError: no such data set, split or key, or it is not prepared on
            this machine and cannot be downloaded.
    """
    return (
        [sentence for paragraph in document for sentence in paragraph]
        for document in read_part(spec, 0, 1)
    )


def read_part(
    spec: str,
    part: int,
    parts: int,
    cut: Callable[[str], list[str]] = split_sentences,
) -> Iterator[list[list[str]]]:
    """Yield the documents of one of several parts, as paragraphs' sentences.

    Args:
        spec: as in `documents`.
        part: the number of the part, counted from 0.
        parts: the number of parts, of about the same size.
        cut: splits a paragraph into sentences.

    Raises:
        UserError: as `documents`.
    """
    import tensorflow_datasets as tfds

    builder, split, key = _open(spec)
    if builder.info.splits[split].num_examples == 1:
        documents = _read_one(builder, split, key, spec, cut)
        return documents if part == 0 else iter(())
    if parts > 1:
        split = tfds.even_splits(split, parts)[part]
    examples = builder.as_dataset(
        split=split, decoders=None, shuffle_files=False
    )
    return _read(examples.map(lambda example: example[key]), cut)


def identity(spec: str) -> list:
    """Return name, version, split, key, and size in examples and bytes."""
    builder, split, key = _open(spec)
    size = builder.info.splits[split.split("[")[0].split("+")[0]]
    return [
        builder.info.full_name,
        str(builder.data_dir),
        split,
        key,
        size.num_examples,
        size.num_bytes,
    ]


def _read_one(
    builder: "tfds.core.DatasetBuilder",
    split: str,
    key: str,
    spec: str,
    cut: Callable[[str], list[str]],
) -> Iterator[list[list[str]]]:
    """Yield the documents of a data set whose only example is a whole text."""
    (example,) = builder.as_dataset(split=split).as_numpy_iterator()
    lines: list[tuple[int, str]] = []
    offset = 0
    for line in example[key].decode("utf-8", errors="replace").split("\n"):
        lines.append((offset, line.strip()))
        offset += len(line) + 1
    ending = endings.find([lambda: lines])
    if ending != endings.BLANK_LINES:
        _LOG.warning("tfds:%s: %s", spec, endings.describe(ending))
    yield from endings.documents(lines, ending, cut)


def _read(
    texts: "tf.data.Dataset", cut: Callable[[str], list[str]]
) -> Iterator[list[list[str]]]:
    for text in texts.as_numpy_iterator():
        lines = text.decode("utf-8", errors="replace").split("\n")
        if document := list(filter(None, map(cut, lines))):
            yield document


def _open(spec: str) -> tuple[Any, str, str]:
    """Return a prepared builder, the split, and the key of the text."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise UserError(
            f'text source "tfds:{spec}" is malformed; expected '
            '"tfds:NAME[/config][:split][:text_key]"'
        )
    builder = prepared(match["name"])
    split = match["split"] or "train"
    splits = list(builder.info.splits)
    for part in split.split("+"):
        if part.split("[")[0].strip() not in splits:
            raise UserError(
                f"TFDS data set {match['name']} has no split {split!r}; "
                f"it has {', '.join(splits)}"
            )
    return builder, split, _text_key(builder, match["key"])


def prepared(name: str) -> Any:
    """Return the builder of a data set, downloaded if necessary.

    Args:
        name: the name in TFDS: "NAME[/config][:version]".

    Raises:
        UserError: there is no such data set, TFDS lacks a package to prepare
            it, or it is not here and cannot be downloaded.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except Exception as error:  # TFDS raises errors of many packages.
        raise UserError(
            f"cannot open TFDS data set {name!r}: {_first_line(error)}"
        ) from error
    try:
        builder.download_and_prepare()
    except ImportError as error:
        raise UserError(
            f"TFDS lacks a package to prepare {name!r}: {_first_line(error)}; "
            "install it"
        ) from error
    except Exception as error:  # Network, archive and disk errors.
        raise UserError(
            f"TFDS data set {name!r} is not prepared in {builder.data_dir} and "
            f"cannot be downloaded ({_first_line(error)}); prepare it where "
            "there is a network and set TFDS_DATA_DIR to its folder"
        ) from error
    return builder


def _text_key(
    builder: "tfds.core.DatasetBuilder", requested: str | None
) -> str:
    features = builder.info.features
    texts = [
        key
        for key, feature in features.items()
        if feature.shape == () and feature.np_dtype in (object, bytes, str)
    ]
    if requested is None and len(texts) == 1:
        return texts[0]
    key = requested or "text"
    if key not in texts:
        raise UserError(
            f"TFDS data set {builder.info.full_name} has no text feature "
            f"{key!r}; name one of: {', '.join(texts) or '(it has none)'}"
        )
    return key


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
