"""A flat graph as terms: one object for equal operations, simplified by rules as they are made.

Used by `tfx_pipeline.modules.slim`. The graph has no effects, so its control edges are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

CELLWISE = frozenset(
    {
        "AddV2",
        "Cast",
        "Equal",
        "LogicalAnd",
        "LogicalNot",
        "NotEqual",
        "Select",
        "SelectV2",
        "StringToHashBucketFast",
    }
)
"""Work on each element alone, and give it the same bits wherever it is in a tensor."""
_COMMUTATIVE = frozenset({"AddV2", "Equal", "LogicalAnd", "NotEqual"})
_PASSES = frozenset({"Identity", "IdentityN", "PlaceholderWithDefault"})


class Kind(NamedTuple):
    """What is known of a tensor before it is computed.

    Attributes:
        dtype: Number of its type.
        shape: Its sizes, None where unknown; None in place of all for an unknown rank.
    """

    dtype: int
    shape: tuple[int | None, ...] | None


@dataclass(eq=False)
class Term:
    """An operation on other terms.

    Attributes:
        op: TensorFlow's name of the operation.
        attributes: Its attributes, as in a NodeDef.
        inputs: The tensors it takes.
        kinds: What is known of each output.
        name: Name of its node.
        value: Value of a constant, as an array.
    """

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    kinds: tuple[Kind, ...]
    name: str
    value: Any = field(default=None, repr=False)


class Tensor(NamedTuple):
    """One output of a term."""

    term: Term
    output: int = 0

    @property
    def kind(self) -> Kind:
        """What is known of it."""
        return self.term.kinds[self.output]

    @property
    def value(self) -> Any:
        """Its value as an array where it is a constant, else None."""
        return self.term.value

    @property
    def is_row(self) -> bool:
        """Whether it has one value for each row of the batch."""
        return self.kind.shape == (None,)

    def inputs(self, op: str) -> tuple[Tensor, ...]:
        """The inputs of the operation that makes it, if it is this one, else ()."""
        return self.term.inputs if self.term.op == op else ()

    def is_all(self, flag: bool) -> bool:
        """Whether it has a flag for each row, and all are known to be this."""
        filled = self.inputs("Fill")
        if not filled or not self.is_row or filled[1].value is None:
            return False
        return filled[1].value.dtype == np.bool_ and bool(filled[1].value) == flag


class Terms:
    """The terms of a graph.

    Args:
        graph_def: A GraphDef without functions and without effects.
        rules: By operation, what returns a simpler tensor in place of what it would make.
        table_sizes: Number of entries of a look-up table by the name of its placeholder.
    """

    def __init__(
        self, graph_def: Any, rules: Mapping[str, Rule], table_sizes: Mapping[str, int]
    ) -> None:
        import tensorflow as tf

        self._rules = rules
        self._table_sizes = table_sizes
        self._known: dict[object, Term] = {}
        self._tensors: dict[str, list[Tensor]] = {}
        self._versions = graph_def.versions
        nodes = {node.name: node for node in graph_def.node}
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(graph_def, name="")
        for operation in graph.get_operations():
            inputs = [self._tensors[each.op.name][each.value_index] for each in operation.inputs]
            kinds = [Kind(each.dtype.as_datatype_enum, _sizes(each)) for each in operation.outputs]
            node = nodes[operation.name]
            attributes = {k: v for k, v in node.attr.items() if not k.startswith("_")}
            made = self._made(node.op, attributes, inputs, kinds, node.name)
            self._tensors[operation.name] = made

    def written(self, names: Sequence[str]) -> tuple[Any, list[str]]:
        """Returns a GraphDef for some tensors, and their names in it.

        Args:
            names: Names of tensors in the graph, such as ``x:0``.
        """
        import tensorflow as tf

        graph_def = tf.compat.v1.GraphDef(versions=self._versions)
        found = [
            self._tensors[name.partition(":")[0]][int(name.partition(":")[2])] for name in names
        ]
        needed: set[int] = set()
        left = [tensor.term for tensor in found]
        while left:
            term = left.pop()
            if id(term) not in needed:
                needed.add(id(term))
                left += [each.term for each in term.inputs]
        for term in self._known.values():  # made before whatever takes them
            if id(term) in needed:
                node = graph_def.node.add(name=term.name, op=term.op)
                node.input.extend(map(_name, term.inputs))
                for key, value in term.attributes.items():
                    node.attr[key].CopyFrom(value)
        return graph_def, list(map(_name, found))

    def of(
        self, op: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor], kind: Kind
    ) -> Tensor:
        """Returns what an operation with one output makes, in the simplest way that is known.

        Args:
            op: TensorFlow's name of the operation.
            attributes: As in a NodeDef.
            inputs: The tensors it takes.
            kind: What is known of the output.
        """
        return self._made(op, attributes, inputs, [kind], f"slim/{op}_{len(self._known)}")[0]

    def constant(self, value: Any) -> Tensor:
        """Returns a constant.

        Args:
            value: A NumPy array or scalar.
        """
        import tensorflow as tf

        proto = tf.make_tensor_proto(value)
        attributes = {"value": attribute(tensor=proto), "dtype": attribute(type=proto.dtype)}
        return self.of("Const", attributes, (), Kind(proto.dtype, np.shape(value)))

    def packed(self, rows: Sequence[Tensor]) -> Tensor:
        """Returns rows side by side, as the columns of a matrix."""
        dtype = rows[0].kind.dtype
        attributes = {
            "N": attribute(i=len(rows)),
            "T": attribute(type=dtype),
            "axis": attribute(i=1),
        }
        return self.of("Pack", attributes, rows, Kind(dtype, (None, len(rows))))

    def joined(self, parts: Sequence[Tensor], kind: Kind) -> Tensor:
        """Returns matrices with the same rows as one."""
        if len(parts) == 1:
            return parts[0]
        axis = self.constant(np.int32(1))
        attributes = {
            "N": attribute(i=len(parts)),
            "T": attribute(type=kind.dtype),
            "Tidx": attribute(type=axis.kind.dtype),
        }
        return self.of("ConcatV2", attributes, (*parts, axis), kind)

    def size(self, table: Tensor) -> int | None:
        """Returns the number of entries of a look-up table, or None where it is not known."""
        return self._table_sizes.get(table.term.name)

    def _made(
        self,
        op: str,
        attributes: Mapping[str, Any],
        inputs: Sequence[Tensor],
        kinds: Sequence[Kind],
        name: str,
    ) -> list[Tensor]:
        if op in _PASSES:
            return list(inputs)
        if op in _COMMUTATIVE:
            inputs = sorted(inputs, key=lambda each: each.value is not None)
        if kinds and kinds[0].shape is None:
            kinds = [Kind(kinds[0].dtype, _known_sizes(op, inputs))]
        if op in self._rules:
            simpler = self._rules[op](self, attributes, tuple(inputs), kinds[0])
            if simpler is not None:
                return [simpler]
        identity: object = name if op == "Placeholder" else frozen(attributes)
        key = (op, identity, tuple((id(each.term), each.output) for each in inputs))
        if key not in self._known:
            value = _value(attributes) if op == "Const" else None
            term = Term(op, attributes, tuple(inputs), tuple(kinds), name, value)
            self._known[key] = term
        return [Tensor(self._known[key], number) for number in range(len(kinds))]


def _sizes(tensor: Any) -> tuple[int | None, ...] | None:
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def _known_sizes(op: str, inputs: Sequence[Tensor]) -> tuple[int | None, ...] | None:
    """The shape of what a look-up or a step on rows makes; TensorFlow does not know all tables."""
    if op == "LookupTableFindV2":
        return inputs[1].kind.shape
    is_known = op in CELLWISE and all(each.is_row or each.kind.shape == () for each in inputs)
    return (None,) if is_known and any(each.is_row for each in inputs) else None


def _name(tensor: Tensor) -> str:
    return f"{tensor.term.name}:{tensor.output}"


def attribute(**value: Any) -> Any:
    """Returns an attribute of a node; the argument is a field of TensorFlow's AttrValue."""
    import tensorflow as tf

    return tf.compat.v1.AttrValue(**value)


def frozen(attributes: Mapping[str, Any]) -> object:
    """Returns what is equal for equal attributes, and can be a key."""
    return tuple(
        (key, attributes[key].SerializeToString(deterministic=True)) for key in sorted(attributes)
    )


def _value(attributes: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.make_ndarray(attributes["value"].tensor)


Rule = Callable[[Terms, Mapping[str, Any], tuple[Tensor, ...], Kind], "Tensor | None"]
"""Takes attributes and inputs of an operation, and what is known of its output. Returns a simpler
tensor that is the same, or None."""
