"""The TFX pipeline: components of our own, wiring, generic preprocessing and trainer."""
