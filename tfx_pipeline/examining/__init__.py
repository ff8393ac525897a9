"""What a model's answers to its test split show: one module per kind of answer.

`look` says what each kind does, `registry` has them by head, and `shuffling` asks a model again
about changed rows. NumPy only.
"""
