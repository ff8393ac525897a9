"""What ``goldlake conformance`` prints with ``--json``."""

from __future__ import annotations

import msgspec


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A case that a server answers otherwise than TensorFlow Serving.

    Attributes:
        case: Name of the case.
        request: Method and path.
        problems: What is different.
        answer: The start of the answer's body.
    """

    case: str
    request: str
    problems: tuple[str, ...]
    answer: str


class Conformance(msgspec.Struct, frozen=True, kw_only=True):
    """How a server's answers compare with those of TensorFlow Serving.

    Attributes:
        url: Base URL of the server that was asked.
        asked: How many cases it was asked.
        equal: How many of them it answered as TensorFlow Serving does.
        skipped: Names of the cases that are about a switch that this server has the other way.
        differences: The other answers.
    """

    url: str
    asked: int
    equal: int
    skipped: tuple[str, ...]
    differences: tuple[Difference, ...]


class ConformanceModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models that the cases ask were written.

    Attributes:
        folder: Where they are.
        models_config: The ``models.config`` that serves them.
    """

    folder: str
    models_config: str
