"""From labelled text to a checked bundle: the steps of `tfminilm make`."""
