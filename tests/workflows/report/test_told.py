"""What sections say in words: metrics by their names, curves, errors, and commands."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from goldlake.workflows.model_views import Training
from goldlake.workflows.report import card, charts, explanation, lineage, numbers, training
from goldlake.workflows.report import validation as validating
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import metric_name, number
from goldlake_core.contracts.sections import Head, Split
from goldlake_core.documents.examining import Importance, Mistake
from goldlake_core.storage.home import Home
from tests.workflows.report import made


@pytest.fixture
def found(tmp_path: Path) -> GatheredModel:
    """A binary model on generated rows."""
    home = Home.at(tmp_path / "home")
    made.put_version(home, 1)
    return made.gathered(home)


def of_head(found: GatheredModel, kind: str) -> GatheredModel:
    """The same of a model with another head."""
    model = msgspec.structs.replace(found.subject.model, head=Head(kind))  # type: ignore[arg-type]
    return dataclasses.replace(found, subject=dataclasses.replace(found.subject, model=model))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("auc", "AUC"),
        ("rmse_over_baseline", "RMSE over baseline"),
        ("crossentropy", "cross-entropy"),
        ("binary_accuracy", "binary accuracy"),
        ("example_count", "rows evaluated"),
    ],
)
def test_a_metric_has_the_name_that_people_know(name: str, shown: str) -> None:
    assert metric_name(name) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.8774, "0.877"),
        (1.0314, "1.031"),
        (15.8813, "15.88"),
        (153.0947, "153.1"),
        (300.0143, "300"),
        (2329.9, "2,330"),
        (-61616.4, "-61,616"),
        (0.00012345, "0.000123"),
        (4.0, "4"),
    ],
)
def test_a_number_has_as_many_places_as_its_size_is_worth(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("kind", "curves", "told", "charted"),
    [
        ("binary", ("loss", "auc"), "eval AUC was best after epoch 2 with 0.9,", ["Loss", "AUC"]),
        # The accuracy of a multiclass model does not decide when it stops.
        ("multiclass", ("loss", "accuracy"), "eval loss was best after epoch 3 with 0.1,", None),
        ("regression", ("loss", "rmse"), "eval RMSE was best after epoch 3 with 0.1,", None),
    ],
)
def test_the_best_epoch_is_the_one_whose_weights_are_kept(
    found: GatheredModel,
    kind: str,
    curves: tuple[str, str],
    told: str,
    charted: list[str] | None,
) -> None:
    values = {"loss": (0.5, 0.3, 0.1), "auc": (0.7, 0.9, 0.8), "accuracy": (0.9, 0.8, 0.7)}
    values["rmse"] = values["loss"][:2] + (0.1,)
    lines = {name: tuple(enumerate(values[name])) for name in curves}
    if kind == "regression":
        lines["loss"] = tuple((step, value + 1) for step, value in lines["loss"])
    part = training.part(
        dataclasses.replace(of_head(found, kind), training=Training(train=lines, eval=lines))
    )
    assert told in part.lead
    assert "whose weights were kept" in part.lead
    for name in charted or ():
        assert f"<figcaption>{name} by epoch (train and eval)</figcaption>" in part.body
    assert "both splits are answered with the weights of that moment" in part.body


def test_a_loss_that_is_a_metric_has_one_chart(found: GatheredModel) -> None:
    line = ((0, 3.0), (1, 2.0))
    curves = {"loss": line, "poisson_deviance": line}
    part = training.part(
        dataclasses.replace(of_head(found, "count"), training=Training(train=curves, eval=curves))
    )
    assert part.body.count("<figure") == 1
    assert "Poisson deviance by epoch" in part.body


def test_parameters_are_no_code(found: GatheredModel) -> None:
    body = training.part(found).body
    assert "<dt>hidden units</dt><dd>128, 64</dd>" in body


def test_errors_show_the_inputs_that_matter_most(found: GatheredModel) -> None:
    inputs = [name for name in found.subject.model.feature_columns if name != "latitude"]
    assert len(inputs) > explanation.MOST_VALUES
    ordered = ["latitude", *inputs]
    row: dict[str, str | None] = {"id": "7", **dict.fromkeys(inputs, "x")}
    mistake = Mistake(
        answered=True,
        label=False,
        probability=0.9,
        row={**row, "latitude": "41.8953129999999", ordered[1]: None},
    )
    looked = msgspec.structs.replace(
        made.examined(),
        importance=tuple(
            Importance(column=name, drop=1 / place, spread=0.0)
            for place, name in enumerate(ordered, 1)
        ),
        mistakes=(mistake,),
    )
    body = explanation.part(dataclasses.replace(found, examined=looked)).body
    shown = body[body.index("<caption>The most confident error</caption>") :]
    heads = [f'<th scope="col">{name}</th>' for name in ("id", *ordered)]
    assert [head in shown for head in heads] == [
        place <= explanation.MOST_VALUES for place in range(len(heads))
    ]
    assert "<td>41.8953</td><td>–</td>" in shown
    assert f"Of {len(ordered)} inputs, the 8 that matter most are shown." in shown


def test_commands_make_the_version_again(found: GatheredModel) -> None:
    run = msgspec.structs.replace(
        found.data.runs[0],
        source={"kind": "generated", "seed": 7},
        source_count=500,
    )

    def told(**changes: object) -> str:
        data = msgspec.structs.replace(found.data, runs=(msgspec.structs.replace(run, **changes),))
        return str(lineage._commands(dataclasses.replace(found, data=data)).unescape())

    assert "goldlake reproduce chicago_crime.arrest@1" in told()
    assert "goldlake run chicago_crime --rows 500 --seed 7" in told()
    files = told(source={"kind": "file"}, address="/data/of 2016/*.csv")
    assert "goldlake ingest chicago_crime --source '/data/of 2016/*.csv'\n" in files
    assert files.index("goldlake train chicago_crime.arrest") < files.index("goldlake promote")
    own = told(source={"kind": "file"}, address=found.usecase.source.address)
    assert "goldlake ingest chicago_crime --source live" in own


def test_what_a_contract_does_not_say_is_told(found: GatheredModel) -> None:
    trained = found.subject.trained
    assert trained is not None
    assert "all 1 " not in validating.part(found).lead
    subject = dataclasses.replace(
        found.subject, trained=msgspec.structs.replace(trained, distances=())
    )
    without = dataclasses.replace(found, subject=subject)
    assert "the contract limits no distance between the splits" in validating.part(without).lead
    assert "test, the newest rows" in validating.part(found).body
    model = msgspec.structs.replace(found.subject.model, split=Split("hash"), maturity_days=0)
    subject = dataclasses.replace(found.subject, model=model)
    by_hash = dataclasses.replace(found, subject=subject)
    assert "the newest rows" not in validating.part(by_hash).body
    assert "30 days after the event" in card.part(found).body
    assert "as soon as they are there" in card.part(by_hash).body


def test_the_worst_decile_is_told_in_a_sentence() -> None:
    answers = made.number_examined("count", has_exposure=True).answers
    told = numbers.worst_bin(answers)  # type: ignore[arg-type]
    assert told is not None
    assert told.startswith("In the ")
    assert " decile of the predictions the label is " in told


def test_a_name_at_the_end_of_an_axis_is_whole() -> None:
    shown = charts.lines("t", [Series("a", [(0.0, 0.0), (10_000.0, 1.0)])], x="x", y="y")
    assert 'text-anchor="end">10,000<' in shown
    assert 'text-anchor="middle">4,000<' in shown


@pytest.mark.parametrize(
    ("ends", "shown"),
    [((2388.01, 2388.26), ("2,388.01", "2,388.26")), ((0.0, 504_142.0), ("0", "504,142"))],
)
def test_the_ends_of_a_small_histogram_differ(
    ends: tuple[float, float], shown: tuple[str, str]
) -> None:
    line = Series("test", [(ends[0], 0.0), (ends[1], 1.0)])
    drawn = charts.steps("t", line, Series("train", []))
    assert all(f">{text}<" in drawn for text in shown)
