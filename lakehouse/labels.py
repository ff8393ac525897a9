"""Whether the labels of an export are what the model's head can learn, before TFX starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import Model
from goldlake_core.contracts.sql_rules import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_CLASSES = 1000
_SHOWN = 6


def require_learnable(labeled: DataFrame, model: Model, what: str) -> None:
    """Does nothing for labels that the head can learn, as booleans always are.

    Args:
        labeled: Rows of the train split.
        model: The model that learns them.
        what: Name of the model, for errors.

    Raises:
        PermanentError: The labels are all the same, or outside of what the head knows.
    """
    from pyspark.sql import functions as F

    if dict(labeled.dtypes)[model.label] == "boolean":
        return
    label, kind = F.col(quoted(model.label)), model.head.kind
    least, most = labeled.agg(F.min(label), F.max(label)).collect()[0]
    which = f"The label {model.label!r} of {what}"
    where = f"models/{model.name}.yaml"
    if least == most:
        raise PermanentError(
            f"{which} is {least!r} in each row of the train split",
            valid="labels that differ",
            hint=f"choose another label or split in {where}",
        )
    if kind == "binary" and (least, most) != (0, 1):
        found = labeled.select(label).distinct().orderBy(label).limit(_SHOWN + 1).collect()
        shown = ", ".join(str(row[0]) for row in found[:_SHOWN])
        raise PermanentError(
            f"{which} has the values {shown}{', …' if len(found) > _SHOWN else ''}, and the head "
            "binary knows 0 and 1",
            valid="head: multiclass, regression or count",
            hint=f"change the head in {where}",
        )
    if kind == "count" and least < 0:
        raise PermanentError(
            f"{which} has the value {least:g}, and the head count knows 0 and more",
            valid="head: regression, or a label without negative values",
            hint=f"change the head in {where}",
        )
    if kind == "multiclass":
        values = labeled.select(label).distinct().limit(MOST_CLASSES + 1).count()
        if values > MOST_CLASSES:
            raise PermanentError(
                f"{which} has more than {MOST_CLASSES:,} values, which are too many classes",
                valid="head: regression or count for a number, or a label with fewer values",
                hint=f"change the head or the label in {where}",
            )
