"""What differs between two model versions. Read-only, no JVM, no TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import msgspec

from goldlake.workflows import lineage
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.evaluation import EvaluationReport
from goldlake_core.documents.lineage import (
    Change,
    ModelDiff,
    ModelLineage,
    Scalar,
    SliceChange,
)
from goldlake_core.documents.training import SliceReport
from goldlake_core.storage.home import Home
from lakehouse import epochs
from tfx_pipeline.exports import read_manifest

MOST_SLICES = 10
NOT_THERE = "(not there)"
# What a node was given of the contract, by the type of the node and the property's name.
_GIVEN = {
    "CuratedSchema": ("validation", "validation"),
    "Transform": ("custom_config", "features"),
    "Trainer": ("custom_config", "training"),
    "Blessing": ("spec", "evaluation"),
    "ServingCheck": ("bounds", "serving"),
}
_CODE = "code_hash"
_ROWS = "training.rows."


def diff(before: ModelId, after: ModelId, home: Home, most: int | None = MOST_SLICES) -> ModelDiff:
    """Compares two versions, of one model or of two.

    Args:
        before: The first version; without a number the newest.
        after: The second version; without a number the newest.
        home: Home that holds both.
        most: Most slices to show, or None for all.

    Raises:
        UsageError: There is no such version on record.
    """
    one = lineage.of_model(home, before, most=0)
    other = lineage.of_model(home, after, most=0)
    metric, slices = _slices(home, one, other)
    missing = dict.fromkeys(
        f"{each.id}: {text}" for each in (one, other) for text in each.not_recorded
    )
    return ModelDiff(
        before=one.id,
        after=other.id,
        data=tuple(_changes(_data(one), _data(other))),
        contract=tuple(_changes(*(_contract(home, each) for each in (one, other)))),
        code=tuple(_changes(_code(one), _code(other))),
        metrics=tuple(_changes(_metrics(one), _metrics(other))),
        metric=metric,
        slices=tuple(slices if most is None else slices[:most]),
        slices_total=len(slices),
        same_test=_has_same_test(home, one, other),
        not_recorded=tuple(missing),
    )


def _changes(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name, NOT_THERE), after.get(name, NOT_THERE)
        if one != other:
            yield Change(name=name, before=one, after=other)


def _data(of: ModelLineage) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for step in of.tables:
        layer = step.table.split(".", 1)[1]
        found[f"{layer} version"] = step.version
        found[f"{layer} rows"] = step.rows
    if of.tables:
        # Versions of a table are counted from 0 in each epoch.
        found["epoch of silver"] = of.tables[0].epoch
        found["pages"] = of.landed.total
    if of.export is not None:
        found["content hash"] = of.export.content_hash
        found["as of"] = of.export.as_of
        found |= {f"{split} rows": count for split, count in of.export.rows.items()}
    return found


def _code(of: ModelLineage) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    if of.run is not None and of.run.environment is not None:
        found |= {k: v for k, v in msgspec.structs.asdict(of.run.environment).items() if v}
    for execution in of.executions:
        node = execution.type.rpartition(".")[2]
        text = execution.properties.get("custom_config")
        config = json.loads(str(text)) if text else {}
        code = execution.properties.get(_CODE) or (config or {}).get(_CODE)
        if code:
            found[f"code of {node}"] = str(code)
    return found


def _contract(home: Home, of: ModelLineage) -> dict[str, Scalar]:
    """What the nodes were given, key by key, and the hashes of the other sections."""
    found: dict[str, Scalar] = {}
    for execution in of.executions:
        given = _GIVEN.get(execution.type.rpartition(".")[2])
        text = execution.properties.get(given[0]) if given else None
        if given and text:
            found |= _flat(json.loads(str(text)), given[1])
    # The Trainer is also given how many rows there are, which is data.
    found = {name: value for name, value in found.items() if not name.startswith(_ROWS)}
    found |= _silver(home, of)
    if of.run is not None:
        outside = ("source", "silver", "gold.")
        found |= {f"section {k}": v for k, v in of.run.contract.items() if k.startswith(outside)}
    return found


def _silver(home: Home, of: ModelLineage) -> dict[str, Scalar]:
    """Silver's section of the contract that the epoch of a version was made under, key by key."""
    usecase = ModelId.parse(of.id).usecase
    book = epochs.read(home, usecase) if of.tables else None
    sections = {each.number: each.silver for each in book.epochs} if book else {}
    text = sections.get(of.tables[0].epoch or epochs.FIRST) if of.tables else None
    return _flat(json.loads(text), "silver") if text else {}


def _flat(value: object, name: str) -> dict[str, Scalar]:
    """The values of a document by their place; entries of a list that have a name go by it."""
    if isinstance(value, dict):
        items = [
            (name if key == name else f"{name}.{key}", each)
            for key, each in value.items()
            if key != _CODE
        ]
    elif isinstance(value, list) and value and all(_named(each) for each in value):
        items = [(f"{name}.{each['name']}", each) for each in value]
    else:
        plain = value if isinstance(value, int | float | str | None) else json.dumps(value)
        return {name: plain}
    found: dict[str, Scalar] = {}
    for place, each in items:
        found |= _flat(each, place)
    return found


def _named(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _metrics(of: ModelLineage) -> dict[str, Scalar]:
    return dict(of.evaluation.metrics) if of.evaluation else {}


def _slices(
    home: Home, one: ModelLineage, other: ModelLineage
) -> tuple[str | None, list[SliceChange]]:
    """The metric that is compared, and the slices in which it differs, the greatest first."""
    reports = [lineage.report_of(home, ModelId.parse(each.id)) for each in (one, other)]
    if reports[0] is None or reports[1] is None:
        return None, []
    before, after = (_by_slice(report) for report in reports if report)
    metric = next(
        (m for m in reports[1].slices[0].metrics if m in reports[0].slices[0].metrics), ""
    )
    found = []
    for key, report in after.items():
        earlier = before.get(key)
        pair = [each.metrics.get(metric) if each else None for each in (earlier, report)]
        if earlier is not None and pair[0] is not None and pair[1] is not None:
            found.append(
                SliceChange(
                    slice=report.slice,
                    metric=metric,
                    before=pair[0],
                    after=pair[1],
                    rows=(earlier.rows, report.rows),
                )
            )
    found = [each for each in found if each.before != each.after]
    return metric or None, sorted(found, key=lambda c: -abs(c.after - c.before))


def _by_slice(report: EvaluationReport) -> dict[tuple[tuple[str, str], ...], SliceReport]:
    return {tuple(sorted(each.slice.items())): each for each in report.slices}


def _has_same_test(home: Home, one: ModelLineage, other: ModelLineage) -> bool:
    if one.export is None or other.export is None:
        return False
    if one.export.manifest_sha256 == other.export.manifest_sha256:
        return True
    tests = []
    for export in (one.export, other.export):
        try:
            manifest, _ = read_manifest(export.export_id, export.manifest_sha256, home)
        except StoreError:
            return False
        tests.append([part.sha256 for part in manifest.splits["test"].parts])
    return tests[0] == tests[1]
