"""Heads: one module per kind of answer, with its loss, output, scores and checks.

`base` says what a head does, `registry` has them by name. TensorFlow and Keras are imported inside
functions; scores are NumPy.
"""
