"""Folders that `transformers` writes: opened, checked, and mapped."""
