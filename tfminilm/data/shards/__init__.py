"""Shards: text that is prepared once, in parallel, and read at random."""

from tfminilm.data.shards.manifest import Manifest
from tfminilm.data.shards.prepare import prepare
from tfminilm.data.shards.read import PREFIX, MaskedText, open_shards
from tfminilm.data.shards.settings import Settings

__all__ = [
    "PREFIX",
    "Manifest",
    "MaskedText",
    "Settings",
    "open_shards",
    "prepare",
]
