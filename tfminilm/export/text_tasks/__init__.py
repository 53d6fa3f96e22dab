"""Files that MediaPipe Tasks and the TFLite Task Library read texts with.

They hold a model for one length, its words and labels, and say in metadata
what is what: these clients cut texts into tokens themselves.
"""
