"""Bundles: everything an app needs to run a model, in one folder."""

from tfminilm.export.bundle.reader import Bundle, is_bundle, open_bundle
from tfminilm.export.bundle.writer import export_bundle

__all__ = ["Bundle", "export_bundle", "is_bundle", "open_bundle"]
