"""Checks of what was written against Keras, on real texts."""
