"""The stage ``keep``: scores of a model, appended to the Delta table ``USECASE.scores.MODEL``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.documents.scoring import KeepRequest, Kept
from goldlake_core.instants import of_text
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import delta, session
from lakehouse.specs import Field, TableSpec, contract_field

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAYER = "scores"
RUN = "run_id"
_OUTPUTS: dict[str, tuple[Field, ...]] = {
    "binary": (
        Field("probability", "double", "Probability that the label is true."),
        Field("is_positive", "boolean", "What the model decided; null without a decision."),
    ),
    "multiclass": (
        Field("class", "string", "Most probable class."),
        Field("score", "double", "Probability of that class."),
    ),
    "regression": (Field("value", "double", "Number that is expected."),),
    "count": (
        Field("value", "double", "Number of events that is expected."),
        Field("rate", "double", "Events per unit of the exposure; null without an exposure."),
    ),
}


def scores_spec(usecase: UseCase, model: Model, home: Home) -> TableSpec:
    """The table of a model's scores: the key of its gold table, its answers, and by whom and when.

    Args:
        usecase: The use case.
        model: One of its models.
        home: The home that holds the table.
    """
    table = usecase.gold[model.table]
    return TableSpec(
        f"{usecase.name}.{LAYER}.{model.name}",
        home.table(usecase.name, LAYER, model.name),
        f"What {usecase.name}.{model.name} answered to rows that were scored, append only.",
        (
            *(contract_field(table.column(name)) for name in table.key),
            *_OUTPUTS[model.head.kind],
            Field("model_version", "bigint", "Version of the model that answered.", False),
            Field("scored_at", "timestamp", "When the rows were scored.", False),
            Field("source", "string", "What was scored.", False),
            Field(RUN, "string", "Run that scored.", False),
        ),
    )


def keep_stage(request: KeepRequest, emit: Emit) -> Kept:
    """Appends the scores of a run, once: a run whose scores are there is not added again.

    Raises:
        StoreError: The table has other columns, because the model had another head or key.
    """
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    model = usecase.models[request.model]
    spec = scores_spec(usecase, model, home)
    with StoreLock(home, usecase.name, "score"):
        emit("progress", "starting Spark")
        return keep(session.spark_session(), spec, request)


def keep(spark: SparkSession, spec: TableSpec, request: KeepRequest) -> Kept:
    """As `keep_stage`, for a caller that holds the store's lock."""
    from pyspark.sql import functions as F

    delta.create(spark, spec)
    log = DeltaLog(spec.uri)
    if not delta.is_same_shape(spec, log.snapshot().schema):
        raise StoreError(
            f"{spec.id} has other columns than {request.usecase}.{request.model} answers now",
            valid=", ".join(spec.names),
            hint="--out FILE, or rename the table's folder and score again",
        )
    scores = (
        spark.read.parquet(*request.files)
        .withColumn("model_version", F.lit(request.model_version))
        .withColumn("scored_at", F.lit(of_text(request.scored_at)))
        .withColumn("source", F.lit(request.source))
        .withColumn(RUN, F.lit(request.run_id))
        .select(*(quoted(name) for name in spec.names))
    )
    rows = scores.count()
    last = log.last_commit_with(RUN)
    if last is None or last.metadata[RUN] != request.run_id:
        delta.append(scores, spec.uri, metadata={RUN: request.run_id})
    return Kept(table=spec.id, version=log.latest() or 0, rows=rows)
