"""Serve a model over HTTP: for trying it, and for small services."""
