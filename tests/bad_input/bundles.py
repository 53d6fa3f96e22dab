"""The table's bundles and models: damaged, sealed and wrong, or none."""

import copy
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

_KNOWN = json.loads(
    (pathlib.Path(__file__).parents[1] / "export" / "manifest_cases.json")
    .read_bytes()
    .decode("utf-8")
)
_REMEDY = "export the model again"
# What is no model, and what is said of it.
_NO_MODELS = {
    "empty": b"",
    "text": b"a text\n" * 9,
    "beginning": b"\x1c\0\0\0TFL3",
    "noise": b"\x1c\0\0\0TFL3" + bytes(range(256)) * 9,
    "zeros": b"\x1c\0\0\0TFL3" + bytes(5_000),
    "places-outside": b"\x1c\0\0\0TFL3" + b"\xff" * 5_000,
    "zip": b"PK\x03\x04" + bytes(100),
}
_ODD: dict[str, Callable[[pathlib.Path], None]] = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
}
_COMMANDS = (
    ("benchmark", "--model={}/bundle"),
    ("evaluate", "--model={}/bundle", "--task=sst2", "--output={}/out"),
)


def cases(case: Any) -> Iterator[Any]:
    """The cases.

    Args:
        case: makes one, as `cases.Case`.
    """
    yield from _manifests(case)
    for name, content in _NO_MODELS.items():
        yield case(
            "models that are none",
            name,
            ("benchmark", "--model={}/model.tflite"),
            ("model.tflite is no LiteRT file", "expected what"),
            lambda folder, content=content: _write(
                folder / "model.tflite", content
            ),
        )
        if content:
            for command in _COMMANDS:
                yield case(
                    "models that are none",
                    f"{name}-sealed-{command[0]}",
                    command,
                    ("model.tflite is no LiteRT file", "expected what"),
                    lambda folder, content=content: _sealed(folder, content),
                )
    for name, make in _ODD.items():
        yield case(
            "pipes, devices and folders",
            f"model-{name}",
            ("benchmark", "--model={}/model.tflite"),
            ("no such file", "model.tflite", "expected a .tflite file"),
            lambda folder, make=make: make(folder / "model.tflite"),
        )


def _manifests(case: Any) -> Iterator[Any]:
    for index, known in enumerate(_KNOWN["cases"]):
        command = _COMMANDS[index % len(_COMMANDS)]
        yield case(
            "manifests of bundles",
            f"{known['base']}, {known['name']}",
            command,
            ("manifest.json is damaged", known["words"], _REMEDY),
            lambda folder, known=known: _manifest(
                folder, json.dumps(_changed(known))
            ),
        )
    good = json.dumps(_KNOWN["bases"]["classification"])
    texts = {each["name"]: each["text"] for each in _KNOWN["no_json"]} | {
        each["name"]: good.replace(each["old"], each["new"])
        for each in _KNOWN["replaced"]
    }
    texts["nested deep"] = "[" * 100_000
    texts["a text of 2 MB"] = json.dumps("x" * 2_000_000)
    for index, (name, text) in enumerate(texts.items()):
        yield case(
            "manifests of bundles",
            name,
            _COMMANDS[index % len(_COMMANDS)],
            ("bundle is no bundle, as `tfminilm export` writes it", ""),
            lambda folder, text=text: _manifest(folder, text),
        )


def _changed(known: dict[str, Any]) -> dict[str, Any]:
    """A good manifest with one place changed."""
    manifest = copy.deepcopy(_KNOWN["bases"][known["base"]])
    *path, last = known["at"].split("/")
    place: Any = manifest
    for name in path:
        place = place[int(name) if isinstance(place, list) else name]
    if "set" in known:
        place[last] = known["set"]
    elif "long" in known:
        place[last] = "x" * known["long"]
    elif "many" in known:
        place[last] = [str(number) for number in range(known["many"])]
    else:
        del place[last]
    return manifest


def _manifest(folder: pathlib.Path, text: str) -> None:
    (folder / "bundle").mkdir()
    _write(folder / "bundle" / "manifest.json", text.encode())


def _sealed(folder: pathlib.Path, content: bytes) -> None:
    """A bundle whose checksums are right, with any content for a model."""
    manifest = copy.deepcopy(_KNOWN["bases"]["classification"])
    parts = {"model.tflite": content, "vocab.txt": b"[PAD]\n"}
    manifest["files"] = {
        name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        for name, part in parts.items()
    }
    _manifest(folder, json.dumps(manifest))
    for name, part in parts.items():
        _write(folder / "bundle" / name, part)


def _write(path: pathlib.Path, content: bytes) -> None:
    path.write_bytes(content)
