"""The oldest runtimes that compute a file rightly, by its precisions.

`tests/runtimes` runs files of every precision on all of them.
"""

from collections.abc import Iterable, Mapping

from tfminilm.export.target import Target

TFLITE = "tensorflow-lite"
LITERT = "ai-edge-litert"

# None: no version of the library, which ends with 2.16.1 on Maven Central,
# or none that was tried.
_OLDEST: dict[str, dict[str, str | None]] = {
    "float32": {TFLITE: "2.14.0", LITERT: "1.0.1"},
    "float16": {TFLITE: None, LITERT: "1.3.0"},
    "dynamic_wi8_afp32": {TFLITE: None, LITERT: "1.0.1"},
    "dynamic_wi4_afp32": {TFLITE: None, LITERT: "1.1.2"},
    "weight_only_wi8_afp32": {TFLITE: None, LITERT: "1.0.1"},
    "static_wi8_ai8": {TFLITE: None, LITERT: "1.0.1"},
}


def oldest(target: Target) -> dict[str, str | None]:
    """The oldest version of each library that is right; None where none is."""
    precisions = {target.precision, *target.layers.values()}
    return {
        library: _newest(_OLDEST[name][library] for name in precisions)
        for library in (TFLITE, LITERT)
    }


def needed(runtimes: Mapping[str, str | None]) -> str:
    """What a message says of them: "tensorflow-lite 2.16.1 or newer, ..."."""
    known = [f"{name} {oldest}" for name, oldest in runtimes.items() if oldest]
    return " or ".join(f"{one} or newer" for one in known)


def _newest(versions: Iterable[str | None]) -> str | None:
    known = list(versions)
    if None in known:
        return None
    return max(known, key=lambda v: tuple(map(int, (v or "").split("."))))
