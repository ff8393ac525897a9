"""Rows that a finding of the gate is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.documents.gate import GateRow, GateValue
from goldlake_core.gate import pairs, quantities, records, seen, shares, texts
from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import coded_series
from goldlake_core.gate.layout import Layout

if TYPE_CHECKING:
    import polars as pl

SHOWN = 3
_BY_SLOT = (shares.JENSEN_SHANNON, shares.INFINITY_NORM, shares.PART_Z)


def examples(
    frame: pl.DataFrame, value: GateValue, baseline: Baseline, layout: Layout
) -> tuple[GateRow, ...]:
    """Some rows of a period that a finding is about; none where it is about no single rows.

    Args:
        frame: The rows of the period.
        value: A value beyond its limit.
        baseline: The baseline that it was measured by.
        layout: How the table is seen.
    """
    if not frame.height:
        return ()
    mask = _mask(frame, value, baseline, layout)
    if mask is None:
        return ()
    shown = frame.filter(mask).head(SHOWN)
    wanted = [layout.event_time, *value.columns]
    return tuple(shown.select(list(dict.fromkeys(wanted))).to_dicts())


def _mask(
    frame: pl.DataFrame, value: GateValue, baseline: Baseline, layout: Layout
) -> pl.Series | None:
    import polars as pl

    if value.statistic == records.TWICE:
        names = [each.name for each in layout.columns if each.name not in baseline.identifiers]
        return frame.select(pl.struct(names).is_duplicated()).to_series()
    if value.statistic in _BY_SLOT:
        return _slots(frame, value.columns[0], baseline, coarse=False) == value.detail
    if value.statistic == pairs.PAIR:
        first, second = (_slots(frame, name, baseline, coarse=True) for name in value.columns)
        return first + " with " + second == value.detail
    condition = _condition(value)
    return None if condition is None else frame.select(condition.fill_null(False)).to_series()


def _condition(value: GateValue) -> pl.Expr | None:
    import polars as pl

    if not value.columns:
        return None
    column = pl.col(value.columns[0])
    text = column.cast(pl.String)
    if value.statistic == seen.NEW:
        return text == value.detail
    if value.statistic == seen.BROKEN:
        return text + " with " + pl.col(value.columns[1]).cast(pl.String) == value.detail
    number = column.cast(pl.Float64, strict=False)
    known = {
        texts.NOT_ASCII: lambda: text.str.contains(r"[^\x00-\x7F]"),
        texts.BLANKS: lambda: text != text.str.strip_chars(),
        texts.EMPTY: lambda: text == "",
        texts.LOWER: lambda: text != text.str.to_uppercase(),
        texts.LONGEST: lambda: text.str.len_chars() == text.str.len_chars().max(),
        texts.LENGTH: lambda: text.str.len_chars() == text.str.len_chars().max(),
        quantities.DECIMALS_3: lambda: (number * 1e3 - (number * 1e3).round()).abs() < 1e-4,
        quantities.DECIMALS_4: lambda: (number * 1e4 - (number * 1e4).round()).abs() < 1e-4,
        quantities.MODE: lambda: number == number.drop_nulls().mode().first(),
        quantities.MEAN: lambda: (number - number.median()).abs() > 3 * number.std(),
        quantities.DEVIATION: lambda: (number - number.median()).abs() > 3 * number.std(),
    }
    made = known.get(value.statistic)
    return made() if made else None


def _slots(frame: pl.DataFrame, name: str, baseline: Baseline, *, coarse: bool) -> pl.Series:
    """The name of each row's slot."""
    import numpy as np
    import polars as pl

    coding, series = baseline.columns[name], frame[name]
    if coding.is_number:
        numbers = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
        slots = coding.slots(None, numbers, coarse=coarse)
    else:
        slots = coding.slots(coded_series(series), None, coarse=coarse)
    return pl.Series(np.asarray(coding.slot_names(coarse=coarse), object)[slots], dtype=pl.String)
