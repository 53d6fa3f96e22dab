"""From a Keras model to files that run elsewhere, checked against it."""
