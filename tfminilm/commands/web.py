"""`tfminilm web`: write a page that runs a model in the browser."""

import pathlib

from absl import flags

from tfminilm import files, quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Writes a static page that runs a bundle in the browser."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "model",
        None,
        "Bundle of export (its folder, or a .zip), or a workdir with a folder "
        "bundle.",
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of the page, for any server of static files; by default the "
        "folder site of the workdir. An older page is replaced.",
    )
    flags.DEFINE_string(
        "title", None, "The page's; by default what the model does."
    )
    flags.DEFINE_multi_string(
        "text",
        None,
        "A text to begin with; of an encoder one that is searched.",
    )
    flags.DEFINE_multi_string(
        "context",
        None,
        "For a model that reads two texts together: the second one of each "
        "--text, such as the context of a question",
    )
    flags.DEFINE_string("query", None, "What an encoder looks for at first.")


def run(flags: flags.FlagValues) -> None:
    """Write the page and say how to open it.

    Raises:
        UsageError: a flag is missing, or does not go with another.
        UserError: there is no bundle, or the page's runtime cannot be fetched.
    """
    if not flags.model:
        raise UsageError(
            "web: expected --model=, a bundle or a workdir with one"
        )
    texts, contexts = flags.text or [], flags.context or []
    if contexts and len(contexts) != len(texts):
        raise UsageError(
            f"web: {len(texts)} --text= and {len(contexts)} --context=, "
            "expected one context for each text"
        )
    pairs = zip(texts, contexts, strict=True) if contexts else zip(texts)
    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.web import site

    output = flags.output or _default(flags.model)
    manifest = site.write_site(
        flags.model, output, flags.title or "", [*pairs], flags.query or ""
    )
    size = sum(x.stat().st_size for x in pathlib.Path(output).rglob("*"))
    print(
        f"{output}: {files.megabytes(size)}, for {manifest.task}; "
        f"python3 -m http.server --directory={output} 8000 shows it at "
        "http://localhost:8000"
    )


def _default(model: str) -> str:
    """Return the folder beside a workdir's bundle.

    Raises:
        UsageError: the model is a bundle itself.
    """
    from tfminilm.export.bundle import reader
    from tfminilm.web import site

    path = pathlib.Path(model)
    if reader.is_bundle(path) or not path.is_dir():
        raise UsageError("web: expected --output=, the folder of the page")
    return str(path / site.SITE)
