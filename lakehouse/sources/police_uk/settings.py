"""The options of a source as its connector uses them: what is asked, and how fast."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from goldlake_core.contracts.errors import UsageError
from lakehouse.sources.police_uk import area
from lakehouse.sources.police_uk.area import Place, Polygon
from lakehouse.sources.police_uk.options import (
    NUMBERS,
    OPTIONS,
    is_number,
    opened,
    option_problems,
    places_of,
)


class Settings(NamedTuple):
    """The options as the connector uses them.

    Attributes:
        polygon: The corners of the area; () for none.
        points: Places; the area is a mile around each.
        forces: Forces whose records without a place are landed too.
        first_month: First month that is asked for, or "".
        last_month: Last month that is asked for, or "".
        requests_per_s: Most requests per second.
        attempts: Tries of one request before it fails.
        backoff_s: Seconds before the second try.
        timeout_s: Seconds that one try may wait.
    """

    polygon: Polygon
    points: tuple[Place, ...]
    forces: tuple[str, ...]
    first_month: str
    last_month: str
    requests_per_s: float
    attempts: int
    backoff_s: float
    timeout_s: float

    def questions(self) -> tuple[Question, ...]:
        """What one month is made of: the polygon, or each place, and then each force."""
        polygons = (Question(polygon=self.polygon),) if self.polygon else ()
        circles = (Question(point=point) for point in self.points)
        return (*polygons, *circles, *(Question(force=force) for force in self.forces))

    @property
    def area_digest(self) -> str:
        """What tells this area from every other."""
        texts = [str(sorted(question.parameters.items())) for question in self.questions()]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Question:
    """One area that the API is asked about, for a month: one of the three.

    Attributes:
        polygon: Corners of a polygon.
        point: A place, for the mile around it.
        force: A force, for its records without a place.
    """

    polygon: Polygon = ()
    point: Place | None = None
    force: str = ""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of a request, but for the month."""
        if self.point is not None:
            latitude, _, longitude = area.text_of([self.point]).partition(",")
            return {"lat": latitude, "lng": longitude}
        return {"force": self.force} if self.force else {"poly": area.text_of(self.polygon)}

    def parts(self) -> tuple[Question, ...]:
        """Questions that together ask the same, without overlap; () where it cannot be divided."""
        return tuple(Question(polygon=each) for each in area.parts(self.polygon))


def settings_of(options: Mapping[str, Any]) -> Settings:
    """The options over their defaults.

    Args:
        options: Those of a contract, all of them known.

    Raises:
        UsageError: One does not hold.
    """
    for found in option_problems(options):
        raise UsageError(
            ".".join(("source", *found.keys)) + f": {found.problem}", valid=found.valid
        )
    chosen = {**OPTIONS, **options}
    for name in NUMBERS:
        if not is_number(chosen[name]):
            problem = f"source.options.{name}: {chosen[name]!r} is not a number"
            raise UsageError(problem, valid=f"such as {OPTIONS[name]}")
    return Settings(
        polygon=tuple(opened(places_of(chosen["polygon"]) or [])),
        points=tuple(places_of(chosen["points"]) or ()),
        forces=tuple(chosen["forces"] or ()),
        first_month=chosen["first_month"] or "",
        last_month=chosen["last_month"] or "",
        requests_per_s=float(chosen["requests_per_s"]),
        attempts=int(chosen["attempts"]),
        backoff_s=float(chosen["backoff_s"]),
        timeout_s=float(chosen["timeout_s"]),
    )
