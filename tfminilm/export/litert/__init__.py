"""LiteRT files: written, quantized, run and timed."""
