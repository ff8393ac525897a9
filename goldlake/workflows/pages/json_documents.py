"""JSON Schemas of what commands print with ``--json``, from the types of the documents.

``python -m goldlake.workflows.pages.json_documents`` writes them to ``docs/reference/json/``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from goldlake.workflows.check import CheckReport
from goldlake.workflows.drafting.draft import Drafted
from goldlake_core.documents import (
    compiling,
    conformance,
    examples,
    export,
    gate,
    history,
    keeping,
    lakehouse,
    lineage,
    maintain,
    monitoring,
    replay,
    reports,
    reproducing,
    scoring,
    tuning,
)
from goldlake_core.documents.planning import IngestPlan, Reconciled

COMMANDS: Mapping[str, object] = {
    "accept": gate.Acceptance,
    "backfill": reports.IngestReport | IngestPlan,
    "backup": keeping.BackupReport,
    "check": CheckReport,
    "compile": compiling.CompileReport,
    "conformance": conformance.Conformance,
    "diff": lineage.ModelDiff,
    "doctor": reports.Findings,
    "erase": keeping.ErasureReport,
    "export": lakehouse.Exported | export.ExportsVerified,
    "history": history.HistoryView,
    "init": Drafted,
    "ingest": reports.IngestReport | IngestPlan,
    "lineage": lineage.ModelLineage | lineage.TableLineage | lineage.Reach,
    "maintain": maintain.MaintainReport,
    "models": reports.ModelsView,
    "monitor": monitoring.MonitorReport,
    "predict": reports.Predictions,
    "promote": reports.Promotion,
    "quarantine": lakehouse.QuarantineView,
    "quarantine replay": replay.ReplayReport,
    "rebuild": reports.RebuildReport,
    "reconcile": Reconciled,
    "report": reports.ReportWritten,
    "reproduce": reproducing.ReproduceReport,
    "restore": maintain.RestoreReport,
    "retrain": monitoring.RetrainReport,
    "rollback": reports.Promotion,
    "run": reports.RunReport,
    "score": scoring.ScoreReport,
    "show": reports.RowsView,
    "source": reports.SourceAddress,
    "tables": reports.TablesView,
    "test": examples.ExamplesReport,
    "train": reports.TrainReport,
    "tune": tuning.TuneReport,
    "validate": gate.ValidationReport,
}
"""Type of the document by command."""

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference" / "json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, str]:
    """The JSON Schema of every command's document by the name of its file."""
    return {
        name.replace(" ", "-"): json.dumps(
            {"$schema": _DIALECT, **_told(msgspec.json.schema(kind))}, indent=1
        )
        + "\n"
        for name, kind in COMMANDS.items()
    }


def _told(schema: Any) -> Any:
    """The schema with descriptions as Python 3.13 has them; earlier ones keep the indentation."""
    if isinstance(schema, list):
        return list(map(_told, schema))
    if not isinstance(schema, dict):
        return schema
    return {
        key: inspect.cleandoc(each)
        if key == "description" and isinstance(each, str)
        else _told(each)
        for key, each in schema.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for command, text in json_schemas().items():
        (FOLDER / f"{command}.json").write_text(text, encoding="utf-8")
