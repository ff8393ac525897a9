"""The mappings of the contract files with their keys; page and JSON Schemas come from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from goldlake_core.contracts.heads import HEADS
from goldlake_core.contracts.keys import Declared, declared, keys_of
from goldlake_core.contracts.model_file import SPLIT_KINDS, feature_keys
from goldlake_core.contracts.sections import (
    FEATURES,
    AreaMap,
    Auth,
    Check,
    Cluster,
    Column,
    Costs,
    Decision,
    DriftLimit,
    Explain,
    Format,
    GoldTable,
    Head,
    Incremental,
    Kubeflow,
    KubeflowStep,
    Lookup,
    Model,
    Notify,
    PagesOf,
    Parts,
    RequestLog,
    Rest,
    Serving,
    Silver,
    Source,
    Split,
    Threshold,
    Training,
    UseCase,
)

Repeated = Literal["", ".NAME", ".METRIC", ".STEP", "[]"]
"""How mappings that are alike follow each other: by a name, a metric, a step, or in a list."""


@dataclass(frozen=True)
class Place:
    """A mapping of a contract file, or several that are alike.

    Attributes:
        keys: The keys that it may have; empty where they depend on its ``kind``.
        below: The mappings under its keys, by key.
        repeated: How several of them follow each other; "" for a single mapping.
        kinds: The keys that it may have, by the value of its ``kind``.
        short: The key whose value may be written in place of the whole mapping; "" for none.
    """

    keys: tuple[Declared, ...] = ()
    below: Mapping[str, Place] = field(default_factory=dict)
    repeated: Repeated = ""
    kinds: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    short: str = ""

    def walk(self, path: str = "") -> Iterator[tuple[str, tuple[Declared, ...]]]:
        """The path and the keys of this mapping and of all below it, in the order of the file."""
        path += self.repeated
        if self.keys:
            yield path, self.keys
        for kind, keys in self.kinds.items():
            yield f"{path} (kind: {kind})", keys
        for name, place in self.below.items():
            yield from place.walk(f"{path}.{name}" if path else name)


_SILVER = Place(
    keys_of(Silver),
    {
        "columns": Place(
            declared(Column, lambda key: key.in_silver), repeated=".NAME", short="type"
        ),
        "checks": Place(keys_of(Check), repeated="[]"),
    },
)
_GOLD = Place(
    keys_of(GoldTable),
    {
        "columns": Place(declared(Column, lambda key: key.in_gold), repeated=".NAME", short="type"),
        "lookups": Place(
            keys_of(Lookup),
            {
                "format": Place(keys_of(Format)),
                "columns": Place(
                    declared(Column, lambda key: key.in_silver), repeated=".NAME", short="type"
                ),
            },
            repeated=".NAME",
        ),
        "clusters": Place(keys_of(Cluster), repeated=".NAME"),
    },
    repeated=".NAME",
)
_REST = Place(
    keys_of(Rest),
    {
        "paging": Place(keys_of(PagesOf)),
        "incremental": Place(keys_of(Incremental)),
        "auth": Place(keys_of(Auth)),
    },
)
CONTRACT = Place(
    keys_of(UseCase),
    {
        "source": Place(keys_of(Source), {"format": Place(keys_of(Format)), "rest": _REST}),
        "silver": _SILVER,
        "gold": _GOLD,
        "notify": Place(keys_of(Notify)),
        "map": Place(keys_of(AreaMap)),
    },
)
MODEL = Place(
    keys_of(Model),
    {
        "head": Place(kinds={kind: keys_of(Head, kind) for kind in HEADS}, short="kind"),
        "split": Place(kinds={kind: keys_of(Split, kind) for kind in SPLIT_KINDS}),
        "features": Place(
            kinds={kind: feature_keys(kind) for kind in FEATURES}, repeated=".NAME", short="kind"
        ),
        "training": Place(keys_of(Training)),
        "thresholds": Place(keys_of(Threshold), repeated=".METRIC"),
        "decision": Place(keys_of(Decision), {"costs": Place(keys_of(Costs))}),
        "parts": Place(keys_of(Parts)),
        "limits": Place(keys_of(DriftLimit), repeated="[]"),
        "serving": Place(
            keys_of(Serving),
            {
                "request_log": Place(keys_of(RequestLog)),
                "explain": Place(keys_of(Explain)),
            },
        ),
        "kubeflow": Place(
            keys_of(Kubeflow), {"steps": Place(keys_of(KubeflowStep), repeated=".STEP")}
        ),
    },
)
