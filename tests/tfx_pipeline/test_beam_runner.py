"""The runner of Beam pipelines in this process gives what Beam's own runner gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.combiners import MeanCombineFn
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.util import Reshuffle
from apache_beam.transforms.window import FixedWindows

from tfx_pipeline.beam_runner import InProcessRunner
from tfx_pipeline.beam_steps import OPERATIONS, Counted

pytestmark = pytest.mark.tfx


class Split(beam.DoFn):
    """Even numbers to the main output, odd ones to ``odd``, and how many at the end."""

    def start_bundle(self) -> None:
        self.count = 0

    def process(self, number: int, plus: int, table: dict[int, str]) -> Any:
        self.count += 1
        text = f"{number + plus}{table.get(number, '')}"
        yield text if number % 2 == 0 else beam.pvalue.TaggedOutput("odd", text)

    def finish_bundle(self) -> Any:
        yield beam.transforms.window.GlobalWindows.windowed_value(f"{self.count} in all")


def _outputs(runner: Any, folder: Path) -> dict[str, list[str]]:
    """What a pipeline with all that TFX's executors use writes, by output."""
    folder.mkdir()
    (folder / "input.txt").write_text("".join(f"{n}\n" for n in range(20)))
    with beam.Pipeline(runner=runner) as pipeline:
        numbers = pipeline | beam.io.ReadFromText(str(folder / "input.txt")) | beam.Map(int)
        others = pipeline | "others" >> beam.Create([100, 101])
        total = numbers | beam.CombineGlobally(sum)
        names = others | beam.Map(lambda n: (n, "!"))
        split = (numbers, others) | beam.Flatten() | beam.Reshuffle()
        split = split | beam.ParDo(
            Split(), plus=beam.pvalue.AsSingleton(total), table=beam.pvalue.AsDict(names)
        ).with_outputs("odd", main="even")
        keys = pipeline | "keys" >> beam.Create([(1, 2), (True, 3), (1.0, 4), ("1", 5), (1, 6)])
        made = {
            "even": split.even,
            "odd": split.odd,
            "groups": keys | beam.GroupByKey() | beam.MapTuple(lambda k, v: (k, sorted(v))),
            "means": numbers | beam.Map(lambda n: (n % 3, n)) | beam.CombinePerKey(MeanCombineFn()),
            "batches": numbers
            | beam.BatchElements(min_batch_size=7, max_batch_size=7)
            | beam.Map(len),
        }
        for name, values in made.items():
            text = values | f"text {name}" >> beam.Map(repr)
            text | f"write {name}" >> beam.io.WriteToText(str(folder / name), num_shards=1)
    return {
        name: sorted((folder / f"{name}-00000-of-00001").read_text().splitlines()) for name in made
    }


def test_results_are_those_of_beams_own_runner(tmp_path: Path) -> None:
    found = _outputs(InProcessRunner(), tmp_path / "ours")
    assert found == _outputs(FnApiRunner(), tmp_path / "beams")
    assert found["groups"] == ["('1', [5])", "(1, [2, 6])", "(1.0, [4])", "(True, [3])"]
    assert sum(map(int, found["batches"])) == 20


@pytest.mark.parametrize(
    ("size_of", "expected"),
    [
        (None, [[0, 1, 2, 3], [4, 5, 6, 7], [8]]),
        (lambda n: n, [[0, 1, 2], [3], [4], [5], [6], [7], [8]]),
    ],
)
def test_batches_are_as_large_as_they_may_be(
    size_of: Any, expected: list[list[int]], tmp_path: Path
) -> None:
    options = {} if size_of is None else {"element_size_fn": size_of}
    with beam.Pipeline(runner=InProcessRunner()) as pipeline:
        batches = pipeline | beam.Create(range(9)) | beam.BatchElements(1, 4, **options)
        batches | beam.Map(repr) | beam.io.WriteToText(str(tmp_path / "made"), num_shards=1)
    [made] = tmp_path.glob("made*")
    assert made.read_text().splitlines() == [repr(each) for each in expected]


KEYS = [None, "a", b"a", "", 1, 2.5, (1, "a"), ("a",), (b"a",), (None, ("a",)), (b"a", 0)]
"""Keys that all differ. Beam's runner groups 1 and 1.0 apart, but combines them as one key."""


def _grouped(runner: Any, folder: Path) -> dict[str, list[str]]:
    """What becomes of keys with one value and with many, by the way in which they are combined."""
    folder.mkdir()
    pairs = [(key, n * 10 + m) for n, key in enumerate(KEYS) for m in range(1 + 7 * (n % 2))]
    ways = {
        "sum": beam.CombinePerKey(sum),
        "lowest": beam.CombinePerKey(min),
        "mean": beam.CombinePerKey(MeanCombineFn()),
        "largest": beam.combiners.Top.PerKey(2),
        "group": beam.GroupByKey(),
        "fanout": beam.CombinePerKey(sum).with_hot_key_fanout(2),
        "side": beam.CombinePerKey(lambda found, least: max([*found, least]), least=35),
    }
    with beam.Pipeline(runner=runner) as pipeline:
        given = pipeline | beam.Create(pairs)
        for name, way in ways.items():
            found = given | name >> way
            text = found | f"text {name}" >> beam.MapTuple(lambda k, v: repr((k, _plain(v))))
            text | f"write {name}" >> beam.io.WriteToText(str(folder / name), num_shards=1)
    return {
        name: sorted((folder / f"{name}-00000-of-00001").read_text().splitlines()) for name in ways
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float)) else sorted(value)


def test_keys_are_told_apart_and_combined_as_in_beams_own_runner(tmp_path: Path) -> None:
    found = _grouped(InProcessRunner(), tmp_path / "ours")
    assert found == _grouped(FnApiRunner(), tmp_path / "beams")
    assert {len(lines) for lines in found.values()} == {len(KEYS)}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_tensorflow_reads_tfrecord_files_in_beams_order(ending: str, tmp_path: Path) -> None:
    import tensorflow as tf

    for name in ("b", "a"):
        records = [f"{name}{number}".encode() * 50 for number in range(5000)]
        kind = "GZIP" if ending else ""
        with tf.io.TFRecordWriter(str(tmp_path / f"{name}{ending}"), kind) as file:
            for record in records:
                file.write(record)
    (tmp_path / f"empty{ending}").touch()
    found: list[bytes] = []
    pipeline = beam.Pipeline(runner=InProcessRunner())
    read = beam.io.ReadFromTFRecord(str(tmp_path / f"*{ending}"))
    pipeline | read | beam.Map(found.append)
    pipeline.run()
    beams = read._source
    assert found == list(beams.read(beams.get_range_tracker(None, None)))
    assert len(found) == 10_000


def _decoded(runner: Any, pattern: str) -> list[Any]:
    """The record batches of tf.Example files, as TFX's executors read them."""
    from tfx_bsl.public.tfxio import TFExampleRecord

    found: list[Any] = []
    pipeline = beam.Pipeline(runner=runner)
    source = TFExampleRecord(pattern, telemetry_descriptors=["test"]).BeamSource(batch_size=2)
    pipeline | source | beam.Map(found.append)
    pipeline.run()
    return found


def test_steps_that_only_count_hand_on_what_they_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf
    from tfx_bsl.tfxio import telemetry

    asked: list[str] = []
    counted: list[object] = []

    def process(self: Any, element: Any) -> Any:
        asked.append(type(self).__name__)
        yield element

    names = ("_ProfileRawRecordDoFn", "_ProfileRecordBatchDoFn")
    for name in names:
        monkeypatch.setattr(getattr(telemetry, name), "process", process)
    monkeypatch.setitem(
        OPERATIONS, Counted, lambda *args: (counted.append(args[0]), OPERATIONS[Reshuffle](*args))
    )
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as file:
        for number in range(5):
            value = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
            features = tf.train.Features(feature={"n": value})
            file.write(tf.train.Example(features=features).SerializeToString())
    found = _decoded(InProcessRunner(), path)
    assert [row for batch in found for row in batch.column(0).to_pylist()] == [
        [number] for number in range(5)
    ]
    assert len(counted) == len(names)
    assert asked == []


class Refuse(MeanCombineFn):
    """Adds nothing up."""

    def add_input(self, total: Any, number: float) -> Any:
        return _fail(int(number))


def _fail(number: int) -> int:
    raise ValueError(f"no {number}")


def test_an_error_names_the_step_and_ends_the_run() -> None:
    pipeline = beam.Pipeline(runner=InProcessRunner())
    pipeline | beam.Create([1]) | "refuse" >> beam.Map(_fail)
    with pytest.raises(ValueError, match=r"no 1 \[while running 'refuse'\]"):
        pipeline.run()
    combined = beam.Pipeline(runner=InProcessRunner())
    combined | beam.Create([("a", 2)]) | "add" >> beam.CombinePerKey(Refuse())
    with pytest.raises(ValueError, match=r"no 2 \[while running 'add'\]"):
        combined.run()


class Remember(beam.DoFn):
    """Needs a state, which only Beam's own runner has."""

    seen_state = beam.DoFn.StateParam(ReadModifyWriteStateSpec("seen", beam.coders.VarIntCoder()))

    def process(self, item: tuple[str, int], seen: Any = seen_state) -> Any:
        before = seen.read() or 0
        seen.write(before + item[1])
        yield before + item[1]


def test_states_and_windows_run_in_beams_own_runner(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tfx_pipeline.beam_runner")
    with beam.Pipeline(runner=InProcessRunner()) as pipeline:
        found = pipeline | beam.Create([("a", 1), ("a", 2)]) | beam.ParDo(Remember())
        windows = found | beam.WindowInto(FixedWindows(60)) | beam.Map(str)
        windows | beam.io.WriteToText(str(tmp_path / "state"), num_shards=1)
    [told] = [each for each in caplog.messages if each.startswith("Beam's own runner runs")]
    assert "Remember with a state or a split" in told
    assert "windows of" in told
    texts = "".join(file.read_text() for file in tmp_path.glob("state*"))
    assert sorted(texts.split())[-1] == "3"
