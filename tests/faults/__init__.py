"""Faults one step off the clean path, as data: how each is made, what must hold, and a run.

Each module ``faults_*.py`` declares the faults of one subject with `catalog.fault`. The test runs
each; ``python -m tests.faults.table`` writes the table of them into the book.
"""
