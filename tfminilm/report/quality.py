"""Compare a student with its teacher on held-out text."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import keras

Batch = Mapping[str, np.ndarray]

PARTS = ("queries", "keys", "values")
# The outputs that `litert_reader` needs, in the order of `Reading`.
LITERT_OUTPUTS = (*PARTS, "sequence_output")


class Reading(NamedTuple):
    """Tensors of a model for one batch.

    `queries`, `keys` and `values` are `[batch, heads, length, head_dim]` of
    the layer that is distilled, `states` the encoder's output
    `[batch, length, hidden_dim]`.
    """

    queries: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    states: np.ndarray


Reader = Callable[[Batch], Reading]


@dataclasses.dataclass(frozen=True)
class Quality:
    """A comparison of a student with its teacher.

    `attention_kl` and `value_kl` are MiniLM's two divergences in nats, and
    `None` if the models differ in their number of heads.
    """

    attention_kl: float | None
    value_kl: float | None
    rank_correlation: float


def keras_reader(backbone: "keras.Model", layer: int = -1) -> Reader:
    """Return a reader of a KerasHub encoder's `layer` (-1: the last).

    Raises:
        UserError: the model is no KerasHub encoder, or has no such layer.
    """
    from keras import ops

    from tfminilm.teachers.expose import expose

    tensors = {part: [layer] for part in PARTS} | {"hidden_states": [-1]}
    model = expose(backbone, tensors)

    def read(batch: Batch) -> Reading:
        outputs = model(
            {name: ops.convert_to_tensor(batch[name]) for name in model.input},
            training=False,
        )
        by_name = {key.split("/")[0]: value for key, value in outputs.items()}
        return Reading(
            *(
                np.asarray(ops.convert_to_numpy(by_name[name]), "float32")
                for name in (*PARTS, "hidden_states")
            )
        )

    return read


def litert_reader(path: str | os.PathLike) -> Reader:
    """Return a reader of the last layer of an encoder in a LiteRT file.

    Args:
        path: a file with the outputs `queries`, `keys`, `values` and
            `sequence_output`. Rows run one by one, cut to their real tokens.

    Raises:
        UserError: the file has no such outputs.
    """
    from tfminilm.export.litert.runner import LiteRTEncoder

    encoder = LiteRTEncoder(path)
    names = LITERT_OUTPUTS

    def read(batch: Batch) -> Reading:
        rows_by_output: list[list[np.ndarray]] = [[] for _ in names]
        length = batch["token_ids"].shape[1]
        masks = np.asarray(batch["padding_mask"])
        for ids, mask in zip(batch["token_ids"], masks, strict=True):
            outputs = encoder(ids[: int(mask.sum())])
            for rows, name in zip(rows_by_output, names, strict=True):
                rows.append(_pad_length(outputs[name], length))
        return Reading(*(np.concatenate(rows) for rows in rows_by_output))

    return read


def compare(
    teacher: Reader,
    students: Sequence[Reader],
    texts: Iterable[Batch],
    sentences: Iterable[Batch],
    done: Callable[[], None] = lambda: None,
    pooling: str = "mean",
) -> list[Quality]:
    """Compare every student with the teacher, which runs once a batch.

    Args:
        teacher: reads the teacher.
        students: read one student each.
        texts: batches of held-out text, for the divergences; none if the
            models read different tokens.
        sentences: batches of one held-out sentence a row, for the rank
            correlation; two rows or more altogether.
        done: called after each batch.
        pooling: of the sentences' states, "mean" or "cls".

    Returns:
        One `Quality` for each student.
    """
    from tfminilm.inputs import teacher_columns
    from tfminilm.tasks.similarity import pool

    divergences: list[list[tuple[float, float] | None]] = [[] for _ in students]
    sizes = []
    for batch in texts:
        target = teacher(batch)
        mask = batch["padding_mask"]
        sizes.append(len(mask))
        for values, student in zip(divergences, students, strict=True):
            values.append(divergence(target, student(batch), mask))
        done()
    embeddings: list[list[np.ndarray]] = [[] for _ in (teacher, *students)]
    for batch in sentences:
        read = [teacher_columns(batch), *[batch] * len(students)]
        readers = (teacher, *students)
        for rows, reader, each in zip(embeddings, readers, read, strict=True):
            states = reader(each).states
            rows.append(pool(states, each["padding_mask"], pooling))
        done()
    pooled = [np.concatenate(rows) for rows in embeddings]
    return [
        Quality(*_mean(values, sizes), rank_correlation(pooled[0], embedding))
        for values, embedding in zip(divergences, pooled[1:], strict=True)
    ]


def divergence(
    teacher: Reading, student: Reading, padding_mask: np.ndarray
) -> tuple[float, float] | None:
    """Return attention and value KL of one batch: means over its examples.

    Returns:
        Both in nats; `None` if the models differ in their number of heads.
    """
    from tfminilm import losses

    if teacher.queries.shape[1] != student.queries.shape[1]:
        return None
    attention = losses.attention_transfer(
        scores(teacher), scores(student), padding_mask
    )
    value = losses.value_relation(teacher.values, student.values, padding_mask)
    return float(attention), float(value)


def scores(reading: Reading) -> np.ndarray:
    """Return scaled dot products of queries and keys, without mask.

    Returns:
        `[batch, heads, length, length]`; rows are queries.
    """
    scale = 1 / np.sqrt(reading.queries.shape[-1])
    return (reading.queries * scale) @ np.swapaxes(reading.keys, -1, -2)


def attention_probs(
    reading: Reading, padding_mask: np.ndarray | None = None
) -> np.ndarray:
    """Return the softmax of `scores` over the real keys.

    Args:
        reading: the tensors of one batch.
        padding_mask: `[batch, length]`, nonzero at real tokens.
    """
    raw = scores(reading)
    if padding_mask is not None:
        raw = np.where(padding_mask[:, None, None, :] != 0, raw, -np.inf)
    raw = np.exp(raw - raw.max(axis=-1, keepdims=True))
    return raw / raw.sum(axis=-1, keepdims=True)


def rank_correlation(teacher: np.ndarray, student: np.ndarray) -> float:
    """Return Spearman's correlation of the pairwise cosine similarities.

    Args:
        teacher: `[sentences, hidden_dim]` embeddings.
        student: `[sentences, student_hidden_dim]`, of the same sentences.

    Returns:
        -1 to 1; 1 if the student orders all pairs as the teacher does, NaN if
        all pairs are equally similar for one of them.
    """
    from scipy import stats

    from tfminilm.tasks.similarity import unit

    pairs = np.triu_indices(len(teacher), k=1)
    cosines = (
        unit(vectors) @ unit(vectors).T for vectors in (teacher, student)
    )
    return float(stats.spearmanr(*(values[pairs] for values in cosines))[0])


def _pad_length(output: np.ndarray, length: int) -> np.ndarray:
    """Pad with zeros after the last token, on the axis before the features."""
    widths = [(0, 0)] * output.ndim
    widths[-2] = (0, length - output.shape[-2])
    return np.pad(output, widths)


def _mean(
    values: Sequence[tuple[float, float] | None], sizes: Sequence[int]
) -> tuple[float | None, float | None]:
    divergences = [value for value in values if value is not None]
    if not divergences or len(divergences) < len(values):
        return None, None
    attention, value = np.average(np.array(divergences), axis=0, weights=sizes)
    return float(attention), float(value)
