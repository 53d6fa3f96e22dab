"""Read the page's style and script, whose hashes its security policy lists."""

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any


def read(name: str) -> str:
    """Read a file from this folder."""
    return (importlib.resources.files(__package__) / name).read_text("utf-8")


def digest(code: str) -> str:
    """Return the hash by which the page's policy allows this code."""
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def script(example: Mapping[str, Any], code: str) -> str:
    """Return the page's elements with the attention data and the script."""
    data = {key: example[key] for key in ("tokens", "teacher", "student")}
    # Inside a script element only "</script" and "<!--" could end the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="attention-data">{text}</script>\n'
        f"<script>{code}</script>\n"
    )
