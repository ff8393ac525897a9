"""The file in which the Evaluator leaves the models' answers for the node that blesses."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from goldlake_core.documents import codec
from tfx_pipeline.evaluation.slices import Answers
from tfx_pipeline.heads.base import Columns

if TYPE_CHECKING:
    import numpy as np

ANSWERS_FILE = "answers.npz"
_ABOUT = "about"
_Of = Literal["candidate", "baseline"]


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """What the file's arrays are.

    Attributes:
        format: Format version of the file.
        columns: Number of columns that the head keeps.
        has_baseline: Whether there are answers of a model that serves.
        kinds: Type of the values in tf.Example by slicing column.
        texts: Values that occur by slicing column; the array ``value:COLUMN`` holds places in
            them, -1 for a missing one.
    """

    format: int = codec.FORMAT
    columns: int
    has_baseline: bool
    kinds: dict[str, str]
    texts: dict[str, list[str]]


def encoded(answers: Answers) -> bytes:
    """The file's content; `decoded` reads it. Pure."""
    import numpy as np

    arrays = _arrays("candidate", answers.candidate)
    if answers.baseline is not None:
        arrays |= _arrays("baseline", answers.baseline)
    texts: dict[str, list[str]] = {}
    for name, values in answers.values.items():
        texts[name] = sorted({value for value in values if value is not None})
        places: dict[str | None, int] = {text: n for n, text in enumerate(texts[name])}
        arrays[f"value:{name}"] = np.array([places.get(value, -1) for value in values], np.int32)
    about = _About(
        columns=len(answers.candidate),
        has_baseline=answers.baseline is not None,
        kinds=dict(answers.kinds),
        texts=texts,
    )
    arrays[_ABOUT] = np.frombuffer(codec.encode(about), np.uint8)
    file = io.BytesIO()
    named: Any = arrays
    np.savez_compressed(file, **named)
    return file.getvalue()


def decoded(data: bytes, name: str) -> Answers:
    """The answers that `encoded` was given. Pure.

    Args:
        data: Content of the file.
        name: Name of the file, for the error.

    Raises:
        StoreError: The file is damaged, or of a newer format.
    """
    import numpy as np

    with np.load(io.BytesIO(data)) as arrays:
        about = codec.decode(arrays[_ABOUT].tobytes(), _About, name)
        values = {
            column: _values(texts, arrays[f"value:{column}"])
            for column, texts in about.texts.items()
        }
        candidate = _columns("candidate", arrays, about)
        baseline = _columns("baseline", arrays, about) if about.has_baseline else None
    return Answers(candidate, baseline, values, about.kinds)


def _arrays(of: _Of, columns: Columns) -> dict[str, np.ndarray]:
    return {f"{of}:{place}": column for place, column in enumerate(columns)}


def _columns(of: _Of, arrays: Any, about: _About) -> Columns:
    return tuple(arrays[f"{of}:{place}"] for place in range(about.columns))


def _values(texts: Sequence[str], places: Any) -> list[str | None]:
    named = [*texts, None]
    return [named[place] for place in places.tolist()]
