"""Write the page's folder: its code, LiteRT.js and the bundle."""

import importlib.resources
import os
import pathlib
import shutil
from collections.abc import Sequence
from importlib.resources.abc import Traversable

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import reader
from tfminilm.export.manifest import ENCODER, MANIFEST, Manifest
from tfminilm.inference import archive
from tfminilm.web import packages

BUNDLE = "bundle"  # The folder of a run, and the one in the page's.
SITE = "site"
_PAGE = "page.json"
_RUNTIME = "litert"
# LiteRT.js names the other package as bundlers read it; browsers need a file.
_IMPORT = ('"@litertjs/wasm-utils"', '"./wasm-utils.js"')
_TABLES = "characters_{}.bin"

_TITLES = {
    "classification": "Classes of a text",
    "multi_label_classification": "Labels of a text",
    "regression": "Score of a text",
    "question_answering": "Answers in a text",
    "token_classification": "Names in a text",
    ENCODER: "Search by meaning",
}
_EXAMPLES: dict[str, list[list[str]]] = {
    "question_answering": [
        [
            "Who wrote the first program?",
            "Charles Babbage designed the Analytical Engine, a machine of "
            "wheels that was never finished. Ada Lovelace translated a paper "
            "about it and added notes, longer than the paper. In the last of "
            "them she described how the machine could compute Bernoulli's "
            "numbers: it is often called the first program.",
        ]
    ],
    ENCODER: [
        ["How to sort a list of names"],
        ["The weather will be warm in May"],
        ["Looking up the value of a key in a dictionary"],
        ["Bake the bread for forty minutes"],
        ["Closing a file when an error occurs"],
    ],
}
_QUERY = "put items in order"


def bundle_of(source: str) -> pathlib.Path:
    """Return the bundle that a path names.

    Args:
        source: a bundle's folder or its .zip, or a workdir with a `bundle`.

    Raises:
        UserError: there is none.
    """
    path = pathlib.Path(source)
    if path.is_file() and path.suffix.lower() == ".zip":
        return archive.unpack(path)
    for folder in (path, path / BUNDLE):
        if reader.is_bundle(folder):
            return folder
    if not path.is_dir():
        raise UserError(f"{source} is no folder: expected a bundle, or a run")
    raise UserError(
        f"{source} holds no bundle; write one first: tfminilm export "
        f"--config=android_int8 --model={source} --output={path / BUNDLE}"
    )


def write_site(
    source: str,
    output: str | os.PathLike,
    title: str = "",
    examples: Sequence[Sequence[str]] = (),
    query: str = "",
) -> Manifest:
    """Write a page that runs a bundle; any server of files can serve it.

    Args:
        source: as `bundle_of` takes it.
        output: the folder; an older page there is replaced.
        title: the page's; by default what the model does.
        examples: texts to begin with, each one or two as the model reads
            them; an encoder searches them.
        query: what an encoder looks for at first.

    Returns:
        What the bundle says of itself.

    Raises:
        UserError: there is no whole bundle, an example is none for the model,
            the runtime cannot be fetched, or something else is at `output`.
    """
    bundle = reader.open_bundle(bundle_of(source))
    manifest = bundle.manifest
    if manifest.probe is None:
        raise UserError(
            f"{source} is a bundle of format version 1, by which the page "
            "cannot prove that a browser is right: export the model again"
        )
    _require_examples(manifest, examples, query)
    fetch()
    with files.new_directory(output, replaces=_require_site) as folder:
        _copy(_assets(), folder, manifest)
        for package in _archives():
            packages.unpack(package, folder / _RUNTIME)
        _link(folder / _RUNTIME / "core.js")
        (folder / BUNDLE).mkdir()
        for name in (MANIFEST, *manifest.files):
            shutil.copyfile(bundle.folder / name, folder / BUNDLE / name)
        files.write_json(
            folder / _PAGE,
            {
                "format": "tfminilm-site",
                "title": title or _TITLES[manifest.task],
                "examples": [list(texts) for texts in examples]
                or _EXAMPLES.get(manifest.task, []),
                "query": query or _QUERY,
            },
        )
    return manifest


def fetch() -> None:
    """Fetch what every page runs on, unless it is here.

    Raises:
        UserError: npm is missing, or cannot fetch it.
    """
    for package in _archives():
        packages.fetch(package)


def _archives() -> tuple[packages.Package, ...]:
    return packages.LITERT, packages.WASM_UTILS


def _assets() -> Traversable:
    return importlib.resources.files(__package__) / "page"


def _require_examples(
    manifest: Manifest, examples: Sequence[Sequence[str]], query: str
) -> None:
    """Refuse texts that are not as many together as the model reads."""
    count = manifest.num_texts
    for texts in examples:
        if len(texts) != count:
            raise UserError(
                f"the model reads {count} text{'s' * (count > 1)} together and "
                f"an example has {len(texts)}: give each --text "
                f"{'a --context' if count > 1 else 'without --context'}"
            )
    if query and manifest.task != ENCODER:
        raise UserError(
            f"--query={query[:40]} is for an encoder, which searches texts; "
            f"this model is for {manifest.task}: leave it out"
        )


def _copy(
    source: Traversable, folder: pathlib.Path, manifest: Manifest
) -> None:
    """Copy the page's own files, and the table of characters it needs."""
    table = _TABLES.format(manifest.tokenizer.rules)
    for path in source.iterdir():
        if path.is_dir():
            (folder / path.name).mkdir()
            _copy(path, folder / path.name, manifest)
        elif not path.name.endswith(".bin") or path.name == table:
            (folder / path.name).write_bytes(path.read_bytes())


def _link(path: pathlib.Path) -> None:
    """Let LiteRT.js find its other package in the same folder."""
    code = path.read_text("utf-8")
    assert code.count(_IMPORT[0]) == 1, path  # Its checksum is right.
    path.write_text(code.replace(*_IMPORT), "utf-8")


def _require_site(folder: pathlib.Path) -> None:
    """Refuse to replace anything but an older page.

    Raises:
        UserError: the folder holds something that no page has.
    """
    fault = "is no page of tfminilm web" * (not (folder / _PAGE).is_file())
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        top = name.parts[0] if len(name.parts) > 1 else ""
        is_known = (
            path.is_dir()
            or top in (_RUNTIME, BUNDLE)
            or name.as_posix() == _PAGE
            or (_assets() / name.as_posix()).is_file()
        )
        if path.is_symlink() or not is_known:
            fault = fault or f"holds {name}"
    if fault:
        raise UserError(
            f"{folder} exists and {fault}, so it is not replaced: expected a "
            "new folder, an empty one or an older page; give another --output"
        )
