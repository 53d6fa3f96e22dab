"""Families of encoders, a file or a folder each."""
