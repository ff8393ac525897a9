"""What is known of a contract that loads, without Spark: formats, SQL, functions, models.

Nothing of a use case is executed here. Checks say what Spark or TensorFlow would refuse as errors,
and what is valid but probably not intended as warnings.
"""
