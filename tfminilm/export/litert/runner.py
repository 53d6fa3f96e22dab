"""Run a LiteRT encoder the way an app does."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export import ids
from tfminilm.quiet import quiet

# Where the length stands in each output; the others have none.
_LENGTH_AXIS = {
    "sequence_output": 1,
    "start_logits": 1,
    "end_logits": 1,
    "token_logits": 1,
    "queries": 2,
    "keys": 2,
    "values": 2,
}


class SignatureRunner(Protocol):
    """Runs one signature of a LiteRT file."""

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]: ...
    def get_input_details(self) -> dict[str, dict[str, Any]]: ...
    def get_output_details(self) -> dict[str, dict[str, Any]]: ...


class Interpreter(Protocol):
    """An opened LiteRT file: what we use of `ai_edge_litert`'s interpreter."""

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]: ...
    def get_signature_runner(self, signature_key: str) -> SignatureRunner: ...


class LiteRTEncoder:
    """An encoder in a `.tflite` file, for one sentence at a time.

    A file has one signature per length. A sentence runs in the shortest one
    that it fits, padded; the outputs are cut back to its own length.
    """

    def __init__(self, path: str | os.PathLike, num_threads: int = 1):
        """Open a file written by `tfminilm.export`, or one like it.

        Raises:
            UserError: no LiteRT file, or none of its signatures takes
                `token_ids` `[1, length]`.
        """
        self.interpreter = open_interpreter(path, num_threads)
        self._runners = {}
        # Shapes and dtypes of inputs: asking takes as long as padding a text.
        self._inputs: dict[int, dict[str, tuple[tuple[int, ...], Any]]] = {}
        for name in self.interpreter.get_signature_list():
            runner = self.interpreter.get_signature_runner(name)
            details = runner.get_input_details()
            shape = details.get("token_ids", {}).get("shape")
            if shape is not None and len(shape) == 2:
                self._runners[int(shape[1])] = runner
                self._inputs[int(shape[1])] = {
                    key: (tuple(map(int, detail["shape"])), detail["dtype"])
                    for key, detail in details.items()
                }
        if not self._runners:
            raise UserError(
                f"{path} is no encoder: expected a signature with an input "
                "token_ids [1, length]"
            )
        self._lengths = tuple(sorted(self._runners))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the signatures, shortest first."""
        return self._lengths

    def __call__(
        self,
        token_ids: Sequence[int] | np.ndarray,
        segment_ids: Sequence[int] | np.ndarray | None = None,
        padding_mask: Sequence[int] | np.ndarray | None = None,
        length: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Run one sentence.

        Args:
            token_ids: int `[n]`.
            segment_ids: int `[n]`; zeros when left out.
            padding_mask: int `[n]`, 1 for a real token; ones when left out.
            length: the signature to use instead of the shortest that fits.

        Returns:
            The file's outputs by name, `[1, n, hidden_dim]`, `[1, n]` and the
            like.

        Raises:
            UserError: no signature is long enough, or an id has no row in
                the model's tables.
        """
        inputs: dict[str, np.ndarray] = {"token_ids": np.asarray(token_ids)}
        count = inputs["token_ids"].shape[0]
        if segment_ids is not None:
            inputs["segment_ids"] = np.asarray(segment_ids)
        if padding_mask is not None:
            inputs["padding_mask"] = np.asarray(padding_mask)
        ids.require(inputs)
        length = self._fitting(count, length)
        padded = _padded(inputs, count, self._inputs[length])
        with ids.explained(inputs, "LiteRT"):
            outputs = self.runner(length)(**padded)
        return {
            name: _cut(value, _LENGTH_AXIS.get(name), count)
            for name, value in outputs.items()
        }

    def runner(self, length: int) -> SignatureRunner:
        """Return the interpreter's runner of the signature of this length."""
        return self._runners[length]

    def _fitting(self, count: int, length: int | None) -> int:
        for candidate in self.lengths if length is None else (length,):
            if candidate in self._runners and candidate >= count:
                return candidate
        raise UserError(
            f"{count} tokens do not fit length {length or self.lengths[-1]}: "
            f"the file has lengths {', '.join(map(str, self.lengths))}"
        )


def open_interpreter(
    path: str | os.PathLike, num_threads: int = 1
) -> Interpreter:
    """Open a file in `ai_edge_litert`'s interpreter.

    Raises:
        UserError: the file is missing or no LiteRT file.
    """
    from ai_edge_litert.interpreter import Interpreter

    if not pathlib.Path(path).is_file():
        raise UserError(f"no such file: {path}; expected a .tflite file")
    try:
        with quiet():
            interpreter = Interpreter(str(path), num_threads=num_threads)
            # Now, as the delegate announces itself here.
            interpreter.allocate_tensors()
        return interpreter
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{path} is no LiteRT file, or part of one: expected what "
            "`tfminilm export` writes"
        ) from error


def _padded(
    inputs: Mapping[str, np.ndarray],
    count: int,
    shapes: Mapping[str, tuple[tuple[int, ...], Any]],
) -> dict[str, np.ndarray]:
    """Pad the inputs that a signature reads, to its shapes.

    By name: a signature's inputs come in alphabetical order, not in ours.
    """
    padded = {}
    for name, (shape, dtype) in shapes.items():
        padded[name] = np.zeros(shape, dtype)
        if name in inputs:
            padded[name][0, : inputs[name].shape[0]] = inputs[name]
        elif name == "padding_mask":
            padded[name][0, :count] = 1
        elif name != "segment_ids":
            raise UserError(
                f"the file reads {name!r}, expected token_ids, segment_ids "
                "and padding_mask: export the model again"
            )
    return padded


def _cut(value: np.ndarray, axis: int | None, count: int) -> np.ndarray:
    return value if axis is None else value.take(np.arange(count), axis)
