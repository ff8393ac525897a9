"""Evaluation of a candidate: metrics, thresholds and the check that it can be served."""
