"""Runs examples of docstrings and pages, as a person would type them."""

from __future__ import annotations

import doctest
from collections.abc import Mapping

import goldlake

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_examples(texts: Mapping[str, str]) -> doctest.TestResults:
    """Runs the examples of texts, by their names, each in a fresh namespace with ``goldlake``.

    Raises:
        AssertionError: An example printed something else; the message has doctest's report.
    """
    runner = doctest.DocTestRunner(optionflags=_FLAGS, verbose=False)
    told: list[str] = []
    for name, text in texts.items():
        test = doctest.DocTestParser().get_doctest(text, {"goldlake": goldlake}, name, name, 0)
        runner.run(test, out=told.append)
    assert not told, "".join(told)
    return runner.summarize(verbose=False)
