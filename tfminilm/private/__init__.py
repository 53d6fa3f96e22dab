"""All that touches private parts of Keras and TensorFlow.

A release of theirs may change those without notice: only here is code to mend.
"""
