"""Our TFX components. Each module is a leaf that imports TFX."""
