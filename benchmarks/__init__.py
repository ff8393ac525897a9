"""Measurements that can be repeated. Run as modules from the top: `python -m benchmarks.NAME`."""
