"""TFX components of our own. Each module is a leaf that imports TFX."""
