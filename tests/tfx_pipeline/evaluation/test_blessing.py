"""The rule that blesses: falls of slices, bounds that cannot hold, and the real year."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from goldlake_core.contracts.sections import Threshold
from goldlake_core.documents import codec
from goldlake_core.documents.evaluation import EvaluationReport
from tests.tfx_pipeline.evaluation import year
from tfx_pipeline.evaluation.blessing import judge, name_of, worst
from tfx_pipeline.evaluation.slices import Answers, slice_reports
from tfx_pipeline.heads.base import Columns
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.spec import EvaluationSpec

AUC = Threshold("auc", minimum=0.6, max_drop=0.1)
CALIBRATION = Threshold("calibration", minimum=0.5, maximum=2)


def spec(*thresholds: Threshold, head: str = "binary") -> EvaluationSpec:
    return EvaluationSpec("toy.y", "y", thresholds, (("group",),), head)  # type: ignore[arg-type]


def binary(labels: np.ndarray, found: np.ndarray) -> Columns:
    return labels.astype(np.int8), found.astype(np.float32), (found > 0.5).astype(np.int8)


class Groups:
    """Labels of two groups with probabilities that are calibrated."""

    def __init__(self, rows: int = 4000) -> None:
        random = np.random.default_rng(1)
        self.found = random.beta(1, 2, rows)
        self.labels = random.random(rows) < self.found
        self.group = np.where(np.arange(rows) % 4 == 0, "small", "large")
        self.noise = random.permutation(self.found)

    def answers(self, after: np.ndarray, *, is_first: bool = False) -> Answers:
        before = None if is_first else binary(self.labels, self.found)
        return Answers(binary(self.labels, after), before, {"group": self.group.tolist()})

    def judged(
        self, after: np.ndarray, *thresholds: Threshold, is_first: bool = False
    ) -> EvaluationReport:
        answers = self.answers(after, is_first=is_first)
        return judge(
            spec(*(thresholds or (AUC,))),
            answers,
            rows=len(self.labels),
            baseline_version=None if is_first else 3,
        )


@pytest.fixture(scope="module")
def groups() -> Groups:
    return Groups()


def test_the_same_model_is_blessed_and_the_report_says_all(groups: Groups) -> None:
    report = groups.judged(groups.found)
    assert (report.blessed, report.reasons) == (True, ())
    assert report.why == "all bounds hold, and none of 2 slices falls from @3"
    whole, large, small = report.slices
    assert (whole.slice, large.slice, small.slice) == ({}, {"group": "large"}, {"group": "small"})
    assert (whole.rows, large.rows, small.rows) == (4000, 3000, 1000)
    for each in report.slices:
        assert each.change is not None
        assert (each.change.value, each.change.z) == (0, 0)
        for name in ("auc", "calibration", "recall", "binary_crossentropy"):
            low, high = each.intervals[name]
            value = each.metrics[name]
            assert value is not None
            assert low < value < high
    assert small.intervals["auc"][1] - small.intervals["auc"][0] > 0.04
    assert codec.decode(codec.encode(report), EvaluationReport, "evaluation.json") == report


def test_a_slice_that_falls_refuses_where_no_bound_does(groups: Groups) -> None:
    after = np.where(groups.group == "small", (groups.found + groups.noise) / 2, groups.found)
    report = groups.judged(after)
    assert all(bound.ok for bound in report.thresholds)
    assert not report.blessed
    [reason] = report.reasons
    assert reason.startswith("group=small: auc falls from 0.")
    assert ", by more than 0.005 and with z -" in reason
    assert reason.endswith(" below -4")
    [first, other] = worst(report.slices)
    assert (name_of(first), first.problem) == ("group=small", reason)
    assert (name_of(other), other.problem) == ("group=large", "")


def test_a_slice_that_leaves_the_band_of_calibration_refuses(groups: Groups) -> None:
    after = np.where(groups.group == "small", groups.found * 0.7, groups.found)
    report = groups.judged(after)
    [reason] = report.reasons
    assert reason.startswith("group=small: calibration goes from 0.94 to 0.65")
    assert reason.endswith("on 1,000 rows and leaves 0.8 to 1.25, which @3 keeps")
    # The whole split is the contract's where it bounds it, and else this rule's.
    low = groups.found * 0.75
    assert "the whole test split" in "".join(groups.judged(low).reasons)
    bounded = groups.judged(low, AUC, CALIBRATION)
    assert "the whole test split" not in "".join(bounded.reasons)


def test_why_the_serving_model_was_not_compared_with_is_told(groups: Groups) -> None:
    answers = groups.answers(groups.found, is_first=True)
    limit = Threshold("auc", minimum=0.1, max_drop=0.01)
    problem = "@3: it reads hour, which the export does not have"
    report = judge(spec(limit), answers, rows=len(groups.labels), not_compared=problem)
    assert report.blessed
    assert report.why == f"all bounds hold; not compared with {problem}"
    assert (report.not_compared, report.baseline_version) == (problem, None)
    assert [bound.kind for bound in report.thresholds if bound.metric == "auc"] == ["minimum"]


def test_a_band_that_the_serving_model_does_not_keep_refuses_nothing(groups: Groups) -> None:
    low = binary(groups.labels, groups.found * 0.5)
    answers = Answers(low, low, {"group": groups.group.tolist()})
    assert judge(spec(AUC), answers, rows=4000, baseline_version=3).blessed


def test_a_fall_of_a_slice_with_few_rows_of_a_class_is_told_and_not_judged() -> None:
    few = Groups(rows=200)
    after = np.where(few.group == "small", 1 - few.found, few.found)
    report = few.judged(after, Threshold("auc", minimum=0.1))
    small = report.slices[2]
    assert not small.is_judged
    assert small.change is not None
    assert small.change.value < -0.3
    assert not any("small" in reason for reason in report.reasons)


def test_a_first_model_is_judged_by_its_bounds(groups: Groups) -> None:
    report = groups.judged(groups.found, is_first=True)
    assert report.blessed
    assert report.why.endswith("no version served that slices could be compared with")
    assert all(each.change is None and each.baseline is None for each in report.slices)
    lowest = min(report.slices[1:], key=lambda each: each.metrics["auc"] or 0)
    assert worst(report.slices)[0] == lowest
    strict = groups.judged(groups.found, Threshold("auc", minimum=0.99), is_first=True)
    assert strict.reasons[0].startswith("auc is 0.")
    assert strict.reasons[0].endswith(", below the bound 0.99")


def test_a_bound_that_cannot_hold_refuses_with_its_reason() -> None:
    def refused(labels: list[int], found: list[float], rows: int | None = None) -> str:
        columns = binary(np.array(labels), np.array(found))
        answers = Answers(columns, columns, {"group": ["a"] * len(labels)})
        report = judge(spec(AUC), answers, rows=rows or len(labels), baseline_version=3)
        assert not report.blessed
        assert not any(bound.ok for bound in report.thresholds if bound.metric == "auc")
        assert codec.decode(codec.encode(report), EvaluationReport, "evaluation.json") == report
        return report.why

    assert refused([], []) == "No bound can hold: the test split has no rows"
    one_class = refused([0, 0, 0], [0.1, 0.2, 0.3])
    assert one_class.startswith("auc is undefined: all 3 rows of the test split have the label 0; ")
    assert refused([0, 1, 1], [0.1, float("nan"), 0.3]) == (
        "No bound can hold: the answer of the candidate is not a finite number in 1 of 3 rows; "
        "No bound can hold: the answer of @3 is not a finite number in 1 of 3 rows"
    )


def test_lost_rows_and_what_only_tfma_refuses(groups: Groups) -> None:
    lost = judge(spec(AUC), groups.answers(groups.found), rows=4001, baseline_version=3)
    assert lost.reasons == ("example_count is 4000, below the bound 4001",)
    own = ["TFMA: recall of the whole test split: below"]
    told = judge(spec(AUC), groups.answers(groups.found), rows=4000, others=own)
    assert (told.blessed, told.reasons) == (False, tuple(own))


def test_small_slices_are_listed_up_to_a_number_and_counted(groups: Groups) -> None:
    values = [str(n // 3) for n in range(len(groups.labels))]
    values[0] = None  # type: ignore[call-overload]
    answers = Answers(binary(groups.labels, groups.found), None, {"group": values})
    reports, left_out = slice_reports(HEADS["binary"], answers, [["group"]], most_small=10)
    assert (len(reports), left_out) == (11, 1334 - 10)
    assert all(each.rows == 3 for each in reports[1:])


def columns_of(head: str, labels: np.ndarray, found: np.ndarray) -> Columns:
    if head == "multiclass":
        share = np.where(labels == 1, found, 1 - found)
        answered = (found > 0.5).astype(int)
        return labels, answered, (share < 0.5).astype(int), share
    return (labels, found) if head == "regression" else (labels, found, np.ones(len(found)))


@pytest.mark.parametrize(
    ("head", "measure"),
    [
        ("multiclass", "crossentropy"),
        ("regression", "mean_squared_error"),
        ("count", "poisson_deviance"),
    ],
)
def test_other_heads_compare_the_loss_of_each_row(head: str, measure: str) -> None:
    random = np.random.default_rng(2)
    truth = random.uniform(0.2, 0.8, 4000)
    labels = (random.random(4000) < truth).astype(int)
    if head != "multiclass":
        truth = truth * 10
        labels = random.poisson(truth).astype(float)
    groups = np.array(["a", "b", "c", "d"])[np.arange(4000) % 4].tolist()
    metric = "crossentropy" if head == "multiclass" else "mae"

    def judged(after: np.ndarray) -> EvaluationReport:
        before = columns_of(head, labels, truth)
        answers = Answers(columns_of(head, labels, after), before, {"group": groups})
        bound = Threshold(metric, maximum=100)
        return judge(spec(bound, head=head), answers, rows=4000, baseline_version=3)

    same = judged(truth * random.normal(1, 0.01, 4000))
    assert same.blessed, same.why
    assert codec.decode(codec.encode(same), EvaluationReport, "report") == same
    is_a = np.array([group == "a" for group in groups])
    shuffled = np.where(is_a, random.permutation(truth), truth)
    broken = judged(shuffled)
    change = broken.slices[1].change
    assert change is not None
    assert (change.measure, change.z < -4, change.value > 0) == (measure, True, True)
    assert any(reason.startswith(f"group=a: {measure} rises from ") for reason in broken.reasons)
    assert not any("group=b" in reason for reason in broken.reasons)
    assert name_of(worst(broken.slices)[0]) == "group=a"


# Models fitted to January to August 2016 and asked about October to December.


@pytest.fixture(scope="module")
def fits(test_data: Path) -> dict[int, np.ndarray]:
    train, test = year.rows(test_data)
    return {seed: year.fitted(train, test, seed) for seed in (1, 2, 3)}


def year_judged(
    folder: Path, after: np.ndarray, before: np.ndarray
) -> tuple[EvaluationReport, float]:
    _, test = year.rows(folder)
    bounds = Threshold("auc", minimum=0.75, max_drop=0.01), Threshold("calibration", 0.8, 1.25)
    rule = EvaluationSpec("chicago_crime.arrest", "arrest", bounds, year.SLICES)
    answers = year.answers(test, after, before)
    report = judge(rule, answers, rows=test.height, baseline_version=1)
    whole = report.slices[0].change
    assert whole is not None
    return report, whole.value


def test_another_seed_does_not_alarm(test_data: Path, fits: dict[int, np.ndarray]) -> None:
    # From 1 to 3, robbery leaves the band by a hair: 1.19 to 1.25, which is the seed's noise.
    for before, after in permutations(fits, 2):
        report, _ = year_judged(test_data, fits[after], fits[before])
        assert report.blessed, report.why
        assert sum(each.is_judged for each in report.slices) == 38


@pytest.mark.parametrize(
    ("lost", "slice_name", "most"),
    [
        (
            (pl.col("primary_type") == "THEFT") & (pl.col("hour") >= 12),
            "primary_type=THEFT",
            -0.004,
        ),
        ((pl.col("district") == "011") & pl.col("label"), "district=011", None),
    ],
    ids=["thefts after noon", "arrests of a district"],
)
def test_a_model_that_never_saw_part_of_a_class_is_refused(
    test_data: Path,
    fits: dict[int, np.ndarray],
    lost: pl.Expr,
    slice_name: str,
    most: float | None,
) -> None:
    train, test = year.rows(test_data)
    after = year.fitted(train.filter(~lost), test, 2)
    report, change = year_judged(test_data, after, fits[1])
    assert not report.blessed
    assert name_of(worst(report.slices)[0]) == slice_name
    assert any(reason.startswith(slice_name) for reason in report.reasons)
    if most is not None:
        # The whole split hardly moves: every bound of the contract holds.
        assert most < change < 0
        assert all(bound.ok for bound in report.thresholds)
