"""Declares a component in one call instead of a spec class and a constructor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

ExecProperties: TypeAlias = Mapping[str, int | float | str]
"""The parameters of a node by name, as ML Metadata holds them; TFX hands them to an executor."""


def component_class(
    name: str,
    executor: type[BaseExecutor],
    *,
    inputs: Mapping[str, type[types.Artifact]],
    outputs: Mapping[str, type[types.Artifact]],
    parameters: Mapping[str, type],
    doc: str,
    optional: Collection[str] = (),
) -> type[base_component.BaseComponent]:
    """A component class whose constructor takes its inputs and parameters by keyword.

    Every component has one more parameter, ``code_hash``: the cache key holds the code.

    Args:
        name: Class name, which is the default node id.
        executor: Executor class; orchestrators import it by its dotted name.
        inputs: Artifact type per input.
        outputs: Artifact type per output.
        parameters: ``str``, ``int`` or ``float`` per execution parameter.
        doc: Docstring of the class.
        optional: Inputs that may be left out or None.
    """
    spec_class = type(
        f"{name}Spec",
        (ComponentSpec,),
        {
            "INPUTS": {
                key: ChannelParameter(type=kind, optional=key in optional)
                for key, kind in inputs.items()
            },
            "OUTPUTS": {key: ChannelParameter(type=kind) for key, kind in outputs.items()},
            "PARAMETERS": {
                key: ExecutionParameter(type=kind)
                for key, kind in {**parameters, "code_hash": str}.items()
            },
        },
    )

    def init(self: Any, **arguments: Any) -> None:
        made = {key: types.Channel(type=kind) for key, kind in outputs.items()}
        given = {key: value for key, value in arguments.items() if value is not None}
        base_component.BaseComponent.__init__(self, spec=spec_class(**given, **made))

    return type(
        name,
        (base_component.BaseComponent,),
        {
            "__init__": init,
            "__doc__": doc,
            "__module__": executor.__module__,
            "SPEC_CLASS": spec_class,
            "EXECUTOR_SPEC": executor_spec.ExecutorClassSpec(executor),
        },
    )


def add_to_cache_key(node: base_component.BaseComponent, code_hash: str) -> None:
    """Lets a hash enter the cache key of a stock component that has no parameter for one.

    The key covers the serialized executor spec, whose extra flags stock executors do not read.
    """
    node.executor_spec.add_extra_flags([f"--code_hash={code_hash}"])
