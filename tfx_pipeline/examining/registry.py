"""Looks by the kind of head."""

from __future__ import annotations

from collections.abc import Mapping

from goldlake_core.contracts.heads import HeadKind
from tfx_pipeline.examining.binary import BinaryLook
from tfx_pipeline.examining.classes import ClassesLook
from tfx_pipeline.examining.look import Look
from tfx_pipeline.examining.numbers import CountsLook, NumbersLook

_LOOKS: Mapping[HeadKind, type[Look]] = {
    "binary": BinaryLook,
    "multiclass": ClassesLook,
    "regression": NumbersLook,
    "count": CountsLook,
}


def look_at(kind: HeadKind) -> Look:
    """A new look at the answers of a head."""
    return _LOOKS[kind](kind)
