"""Read the page's own style and script, which its policy knows by hashes."""

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any


def read(name: str) -> str:
    """Reads a file that lies beside this one."""
    return (importlib.resources.files(__package__) / name).read_text("utf-8")


def digest(code: str) -> str:
    """Hashes code, so that the page's policy runs it and no other."""
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def script(example: Mapping[str, Any], code: str) -> str:
    """Writes the elements of the attention's data and of the script."""
    data = {key: example[key] for key in ("tokens", "teacher", "student")}
    # Inside a script element only "</script" and "<!--" could end the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="attention-data">{text}</script>\n'
        f"<script>{code}</script>\n"
    )
