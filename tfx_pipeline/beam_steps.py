"""What `beam_runner` does for each kind of step of a Beam pipeline: all of its elements at once.

Values by collection are lists of Beam's WindowedValue. TensorFlow's reader takes the place of
Beam's for TFRecord files, which Beam reads byte by byte in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any

from apache_beam import coders
from apache_beam.io import iobase, tfrecordio
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pipeline import AppliedPTransform
from apache_beam.runners.common import DoFnRunner, DoFnState, Receiver
from apache_beam.transforms import core, sideinputs, util
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.counters import CounterFactory

# Another one with the same window costs a fiftieth of one made from nothing.
_whole = GlobalWindows.windowed_value(None).with_value
_PLAIN_KEYS = frozenset((str, bytes, type(None)))
"""Types of keys that are equal only if they are the same for Beam, too; 1, 1.0 and True are not."""
_RECORDS = 4096
"""Records that TensorFlow hands over at a time."""
_COMPRESSIONS = {CompressionTypes.UNCOMPRESSED: "", CompressionTypes.GZIP: "GZIP"}
"""TensorFlow's names of the compressions that both read."""
_COUNTERS = frozenset(
    f"tfx_bsl.tfxio.telemetry.{name}"
    for name in ("_ProfileRawRecordDoFn", "_ProfileRecordBatchDoFn")
)
"""Functions that hand on what they get, and count it for metrics, which nobody reads here."""


class Counted:
    """The kind of a step that hands on what it gets."""


class _Sink(Receiver):  # type: ignore[misc]
    """Takes the output of a step."""

    def __init__(self, values: list[Any]) -> None:
        self._take = values.append

    def receive(self, windowed_value: Any) -> None:
        self._take(windowed_value)

    def receive_batch(self, windowed_batch: Any) -> None:
        for each in windowed_batch.as_windowed_values(iter):
            self._take(each)

    def flush(self) -> None:
        pass


class _Sinks(dict[str | None, Receiver]):
    """Sinks by tag; an output that nobody reads goes nowhere."""

    def __missing__(self, tag: str | None) -> Receiver:
        return self.setdefault(tag, _Sink([]))


def kind_of(step: AppliedPTransform) -> Any:
    """The key of `OPERATIONS` for a step, or None."""
    transform = step.transform
    if isinstance(transform, iobase.Read):
        return iobase.Read if isinstance(transform.source, iobase.BoundedSource) else None
    if isinstance(transform, core.CombinePerKey):
        is_plain = not (transform.args or transform.kwargs or transform.side_inputs)
        return core.CombinePerKey if is_plain else None
    if isinstance(transform, core.ParDo):
        function = type(transform.dofn)
        is_counter = f"{function.__module__}.{function.__qualname__}" in _COUNTERS
        return Counted if is_counter else core.ParDo
    return next((kind for kind in OPERATIONS if isinstance(transform, kind)), None)


def _impulse(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [_whole(b"")])


def _create(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [_whole(each) for each in step.transform.values])


def _read(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    source = step.transform.source
    found = _tf_records(source)
    if found is None:
        found = source.read(source.get_range_tracker(None, None))
    _put(step, values, list(map(_whole, found)))


def _tf_records(source: iobase.BoundedSource) -> list[bytes] | None:
    """The records of TFRecord files in Beam's order of the files.

    Returns:
        None for another source, and for a coder or a compression that TensorFlow does not have.
    """
    if type(source) is not tfrecordio._TFRecordSource:
        return None
    files = FileSystems.match([source._pattern.get()])[0].metadata_list
    names = [file.path for file in files if file.size_in_bytes]
    kinds = {name: _compression(name, source._compression_type) for name in names}
    if type(source._coder) is not coders.BytesCoder or None in kinds.values():
        return None
    import tensorflow as tf

    records: list[bytes] = []
    with tf.init_scope():
        for kind, group in groupby(names, kinds.__getitem__):
            batches = tf.data.TFRecordDataset(list(group), kind).batch(_RECORDS)
            for batch in batches.as_numpy_iterator():
                records += batch.tolist()
    return records


def _compression(name: str, kind: str) -> str | None:
    if kind == CompressionTypes.AUTO:
        kind = CompressionTypes.detect_compression_type(name)
    return _COMPRESSIONS.get(kind)


def _same(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, list(values[step.inputs[0]]))


def _batch(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    """Batches of the largest size that is allowed.

    Beam tunes the size by the clock, and TFDV's quantiles depend on it in their last digit.
    """
    transform = step.transform
    most = transform._batch_size_estimator._max_batch_size
    plain = [each.value for each in values[step.inputs[0]]]
    sizes = list(map(transform._element_size_fn, plain))
    if set(sizes) <= {1}:
        batches = [plain[start : start + most] for start in range(0, len(plain), most)]
    else:
        batches = _batches(plain, sizes, most)
    _put(step, values, list(map(_whole, batches)))


def _batches(plain: Sequence[Any], sizes: Iterable[int], most: int) -> list[list[Any]]:
    batches: list[list[Any]] = []
    left = 0
    for each, size in zip(plain, sizes, strict=True):
        if not batches or size > left:
            batches.append([])
            left = most
        batches[-1].append(each)
        left -= size
    return batches


def _flatten(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, [each for source in step.inputs for each in values[source]])


def _group(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    _put(step, values, _groups(values[step.inputs[0]]))


def _groups(pairs: Iterable[Any]) -> list[Any]:
    """Each key with the list of its values, in the order in which the keys first come."""
    encode = coders.FastPrimitivesCoder().get_impl().encode
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for each in pairs:
        key, value = each.value
        place = key if _is_plain(key) else (encode(key), 0)
        found = groups.get(place)
        if found is None:
            groups[place] = (key, [value])
        else:
            found[1].append(value)
    return list(map(_whole, groups.values()))


def _is_plain(key: Any) -> bool:
    """Whether Python tells a key from others as Beam does: it holds no number."""
    kind = type(key)
    return kind in _PLAIN_KEYS or (kind is tuple and all(map(_is_plain, key)))


class _Combine(core.DoFn):  # type: ignore[misc]
    """Combines the values of each key as Beam's own step does, for less.

    That step cuts all values into three parts and merges them, to test the merging. One value has
    only one part, and integers have the same sum in any order.
    """

    def __init__(self, combine: core.CombineFn) -> None:
        self._whole = core.CombineValuesDoFn(None, combine, False)
        self._one = combine
        self._is_sum = getattr(combine, "_fn", None) is sum

    def setup(self) -> None:
        self._whole.setup()

    def process(self, group: tuple[Any, list[Any]]) -> Any:
        key, found = group
        if self._is_sum and set(map(type, found)) == {int}:
            return [(key, sum(found))]
        if len(found) == 1:
            return [(key, self._one.apply(found))]
        return self._whole.process(group)

    def teardown(self) -> None:
        self._whole.teardown()


def _combine(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    [made] = step.outputs.values()
    values[made] = []
    groups = _groups(values[step.inputs[0]])
    _process(step, _Combine(step.transform.fn), groups, _Sinks({None: _Sink(values[made])}))


def _par_do(step: AppliedPTransform, values: dict[Any, list[Any]]) -> None:
    sinks = _Sinks()
    for tag, made in step.outputs.items():
        values[made] = []
        sinks[tag] = _Sink(values[made])
    sinks.setdefault(None, _Sink([]))
    transform = step.transform
    tables = [
        sideinputs.SideInputMap(type(each), each._view_options(), values[each.pvalue])
        for each in step.side_inputs
    ]
    given = (transform.args, transform.kwargs, tables)
    _process(step, transform.dofn, values[step.inputs[0]], sinks, *given)


def _process(
    step: AppliedPTransform,
    function: core.DoFn,
    elements: Iterable[Any],
    sinks: _Sinks,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] = MappingProxyType({}),
    tables: Sequence[Any] = (),
) -> None:
    """Calls a function with each element, as one bundle."""
    runner = DoFnRunner(
        function,
        args,
        dict(kwargs),
        tables,
        step.inputs[0].windowing,
        tagged_receivers=sinks,
        step_name=step.full_label,
        state=DoFnState(CounterFactory()),
    )
    runner.setup()
    try:
        runner.start()
        for each in elements:
            runner.process(each)
        runner.finish()
    finally:
        runner.teardown()


def _put(step: AppliedPTransform, values: dict[Any, list[Any]], made: list[Any]) -> None:
    [output] = step.outputs.values()
    values[output] = made


COMPOSITES = (
    core.Create,
    iobase.Read,
    util.BatchElements,
    util.Reshuffle,
    util.ReshufflePerKey,
    core.CombinePerKey,
)
"""Steps with parts that need not be taken apart."""
OPERATIONS: dict[Any, Callable[[AppliedPTransform, dict[Any, list[Any]]], None]] = {
    core.Impulse: _impulse,
    core.Create: _create,
    iobase.Read: _read,
    util.BatchElements: _batch,
    util.Reshuffle: _same,
    util.ReshufflePerKey: _same,
    Counted: _same,
    core.Flatten: _flatten,
    core.GroupByKey: _group,
    core.CombinePerKey: _combine,
    core.ParDo: _par_do,
}
