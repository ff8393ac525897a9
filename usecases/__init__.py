"""The use cases that are shipped: one folder each, contracts and a few functions."""
