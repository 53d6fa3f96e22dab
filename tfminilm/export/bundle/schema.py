"""Write `manifest.schema.json`, which others check a manifest by.

Run `python -m tfminilm.export.bundle.schema` after a change of
`export.manifest`; a test compares the file with what this would write.
"""

import json
import pathlib

from tfminilm import files, json_schema
from tfminilm.export.manifest import FORMAT_VERSION, Manifest

PATH = pathlib.Path(__file__).with_name("manifest.schema.json")


def text() -> str:
    """Return the content of the file."""
    schema = json_schema.schema(
        Manifest,
        f"Manifest of a tfminilm bundle, format version {FORMAT_VERSION}",
    )
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    files.write_text(PATH, text())
