"""One reader per format: a file or a data set in, a list of examples out."""
