"""Read examples: one module a format of files or data sets."""
