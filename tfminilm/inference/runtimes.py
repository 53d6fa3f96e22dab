"""Run encoded texts through whatever holds the model."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.bundle import evaluate as bundles
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.tasks import evaluate
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded
from tfminilm.teachers.faster import faster

Count = Callable[[int], None]

# Of a model that embeds texts, among other outputs.
EMBEDDING = "sentence_embedding"
# Each length is a shape to trace, and for some backends to compile.
_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class Runtime(Protocol):
    """Run a model on sequences of token ids.

    Attributes:
        name: what runs it, for people.
        model: the Keras model, or what runs a file.
        precision: of its weights and arithmetic.
        lengths: in tokens, to which texts are padded; none if to any.
    """

    name: str
    model: Any
    precision: str
    lengths: tuple[int, ...]

    def run(self, encoded: Encoded, count: Count) -> list[Any]:
        """Return the outputs of each sequence, in their order.

        Returns:
            An array or a dict of arrays each, as `Kind.decode` takes them; of
            an encoder its embedding `[dim]`.

        Raises:
            UserError: an output is not finite.
        """


class KerasRuntime:
    """Run a Keras model in batches of sequences of similar length."""

    name = "Keras"
    lengths: tuple[int, ...] = ()

    def __init__(self, model: keras.Model, outputs: keras.Model, most: int):
        """Prepare the model to be called often.

        Args:
            model: what a caller sees.
            outputs: gives what is asked for; shares the weights of `model`.
            most: tokens of a sequence, at most.
        """
        self._most = most
        self.model = model
        self.precision = model.dtype_policy.name
        self._fast = faster(outputs)
        # XLA would compile each shape anew, for seconds. JAX does only that.
        self._fast.compile(jit_compile=keras.backend.backend() == "jax")

    def run(self, encoded: Encoded, count: Count) -> list[Any]:
        """Return the outputs of each sequence, in their order."""
        return evaluate.run(self._fast, _batches(encoded, self._most), count)


class LiteRTRuntime:
    """Run a bundle's file, one sequence at a time, as an app does."""

    name = "LiteRT"

    def __init__(self, encoder: LiteRTEncoder, precision: str):
        self.model = encoder
        self.precision = precision
        self.lengths = encoder.lengths

    def run(self, encoded: Encoded, count: Count) -> list[Any]:
        """Return the outputs of each sequence, in their order."""
        rows = bundles.run(self.model, encoded, count)
        return [_answer(row) for row in rows]


class ServerRuntime:
    """Run what was written for a server, in batches."""

    lengths: tuple[int, ...] = ()

    def __init__(
        self,
        name: str,
        run: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
        precision: str,
        most: int,
    ):
        """Take a function from a batch to its outputs.

        Args:
            name: of what runs it, for people.
            run: gives the outputs of a batch by their names.
            precision: of its weights and arithmetic.
            most: tokens of a sequence, at most.
        """
        self._most = most
        self.name = name
        self.model = run
        self.precision = precision

    def run(self, encoded: Encoded, count: Count) -> list[Any]:
        """Return the outputs of each sequence, in their order."""
        outputs: list[Any] = [None] * len(encoded)
        done = 0
        for rows, inputs in _batches(encoded, self._most).epoch():
            found = self.model(inputs)
            for place, row in enumerate(rows.tolist()):
                if row < 0:  # A filler.
                    continue
                one = {name: value[place] for name, value in found.items()}
                outputs[row] = _answer(one.get("logits", one))
                done += 1
            count(done)
        flat = keras.tree.flatten(outputs)
        if not all(np.isfinite(value).all() for value in flat):
            raise UserError(
                "the model's output is not finite: its weights are broken"
            )
        return outputs


def _batches(encoded: Encoded, most: int) -> Batches:
    """Cut sequences into batches of few shapes.

    Args:
        encoded: the sequences.
        most: tokens of the longest one that the model has positions for.
    """
    # A power of two: fewer than half of a batch are fillers.
    size = min(evaluate.BATCH_SIZE, 1 << (len(encoded) - 1).bit_length())
    buckets = [length for length in _LENGTHS if length < most]
    return Batches(encoded, size, buckets=[*buckets, most])


def _answer(output: Any) -> Any:
    """Take the embedding out of an encoder's outputs."""
    if isinstance(output, Mapping) and EMBEDDING in output:
        return output[EMBEDDING]
    return output
