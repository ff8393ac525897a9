"""Tests of the TFX pipeline."""
