"""TFX user modules: generic preprocessing, the wide and deep network, the trainer, its export.

Nothing here knows a data set: everything follows the contract, cut into `tfx_pipeline.spec`.
TensorFlow, Keras, TFX and Beam are imported inside functions.
"""
