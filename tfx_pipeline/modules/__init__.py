"""Generic preprocessing, wide and deep network, trainer, evaluation, serving check and pusher.

Nothing here knows a data set: everything follows the contract, cut into `tfx_pipeline.spec`.
TensorFlow, Keras, TFX and Beam are imported inside functions, but for `components`, which only
`nodes` imports.
"""
