"""Section 9: the model card: intended use, limits and licence, from the contract."""

from __future__ import annotations

from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import Part, counted, facts, folded, joined, paragraph, table
from goldlake_core.contracts.sections import Model


def part(found: GatheredModel) -> Part:
    """The section."""
    model, usecase = found.subject.model, found.usecase
    gold = usecase.gold[model.table]
    lead = f"{model.title or model.name}, a {model.head.kind} model of {usecase.title}."
    known = model.description.strip()
    text = known or "The contract says nothing about intended use and limits (key description)."
    pairs = [
        ("Predicts", f"{model.label}: {_comment(found, model.label)}"),
        ("Head", model.head.kind),
        ("Labels are trusted", _trusted(model)),
        ("Data", usecase.description.strip() or "not described in the contract"),
        ("Licence of the data", usecase.licence or "not stated in the contract"),
        ("Contract", str(usecase.folder.name)),
    ]
    rows = [
        (column.name, column.type, column.unit or "–", column.comment)
        for column in gold.columns
        if column.name in model.feature_columns
    ]
    inputs = table("What the model reads", ("Column", "Type", "Unit", "Meaning"), rows)
    body = [paragraph(text), facts(pairs), folded(f"{len(rows)} inputs", inputs)]
    return Part("card", "Model card", lead, joined(body))


def _trusted(model: Model) -> str:
    if not model.maturity_days:
        return "as soon as they are there"
    return f"{counted(model.maturity_days, 'day')} after the event"


def _comment(found: GatheredModel, name: str) -> str:
    return found.usecase.gold[found.subject.model.table].column(name).comment
