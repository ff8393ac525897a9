"""The one table of contract keys: what the loader accepts and what the reference page prints.

A key's explanation is the dataclass attribute's own text where there is one, so that no sentence is
written twice; `goldlake.workflows.pages.reference` looks it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from goldlake_core.contracts.model import DriftLimit, Feature, Model, Split, Threshold, Training
from goldlake_core.contracts.usecase import Check, Column, GoldTable, Silver, Source, UseCase

Handoff = Literal["snapshot_example_gen", "csv_example_gen"]


@dataclass(frozen=True)
class Key:
    """One key of a mapping.

    Attributes:
        name: As written in YAML.
        takes: What its value is, in words.
        default: Text of the default; None: the key is required.
        doc: Explanation; "" takes the text of the dataclass attribute.
        attribute: Dataclass attribute that explains it, where its name differs.
    """

    name: str
    takes: str
    default: str | None = None
    doc: str = ""
    attribute: str = ""


@dataclass(frozen=True)
class Keys:
    """The keys of one mapping.

    Attributes:
        path: Where the mapping stands, such as ``silver.columns.NAME``.
        about: The dataclass it becomes.
        keys: In the order of the reference page.
        note: A sentence for the reference page.
    """

    path: str
    about: type[Any]
    keys: tuple[Key, ...]
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All keys."""
        return tuple(k.name for k in self.keys)

    @property
    def required(self) -> tuple[str, ...]:
        """Keys without a default."""
        return tuple(k.name for k in self.keys if k.default is None)


NOTHING = "nothing"

CONTRACT = Keys(
    "",
    UseCase,
    (
        Key("name", "name, equal to the folder's"),
        Key("title", "text"),
        Key("description", "text"),
        Key("licence", "text"),
        Key("source", "mapping", doc="Where records come from."),
        Key("silver", "mapping", doc="The typed, deduplicated table."),
        Key("gold", "mapping of table name to mapping", doc="Tables maintained from silver."),
    ),
)

SOURCE = Keys(
    "source",
    Source,
    (
        Key("kind", "name of a connector"),
        Key("address", "http or https URL", "none"),
        Key("dataset", "letters, digits, . _ -"),
        Key("page_rows", "whole number, 1 to 1000000", "10000"),
        Key("time_field", "text", "none"),
        Key("generator", "module.function", NOTHING),
        Key("options", "mapping of anything", "none"),
    ),
)

SILVER = Keys(
    "silver",
    Silver,
    (
        Key("table", "name"),
        Key("comment", "text"),
        Key("key", "list of columns, not nullable"),
        Key("version", "column, not nullable"),
        Key("event_time", "timestamp or date column, not nullable"),
        Key("columns", "mapping of column name to mapping"),
        Key("checks", "list of mappings", "none"),
    ),
)

_EVERY_COLUMN = (
    Key("type", "string, long, double, boolean, timestamp or date"),
    Key("comment", "text"),
    Key("nullable", "true or false", "true"),
    Key("domain", "list of texts (string only)", NOTHING),
    Key("range", "[lowest, highest], either may be null (long and double only)", NOTHING),
    Key("pattern", "Java regular expression (string only)", NOTHING),
    Key(
        "wire_null",
        'nan, {text: "…"} or {flag: name}',
        NOTHING,
        doc="How a missing value travels to a served model: `nan` for double, a reserved text for "
        "string, or a presence flag. A nullable column that a model reads must have it.",
    ),
    Key("unit", "text", NOTHING),
)

COLUMN = Keys(
    "silver.columns.NAME",
    Column,
    (
        *_EVERY_COLUMN,
        Key("field", "text", "the column's name"),
        Key("format", "Spark datetime pattern; required for timestamp and date", NOTHING),
        Key(
            "time_zone",
            "IANA zone; required for a timestamp whose format has no offset",
            NOTHING,
        ),
        Key("pad", "whole number, 1 to 64 (string only)", NOTHING),
        Key("replace", "mapping of text to text", "none"),
        Key("null_values", "list of texts", "none"),
    ),
    note="Columns appear in the table in the order in which they are written.",
)

GOLD_COLUMN = Keys(
    "gold.NAME.columns.NAME",
    Column,
    _EVERY_COLUMN,
    note="A gold column is computed, so it has no source field. Key columns are never null.",
)

CHECK = Keys(
    "silver.checks[]",
    Check,
    (
        Key("code", "name, used once"),
        Key("expect", "Spark SQL expression"),
        Key("comment", "text"),
    ),
)

GOLD = Keys(
    "gold.NAME",
    GoldTable,
    (
        Key("mode", "rows or aggregate"),
        Key("build", "module.function"),
        Key("key", "list of columns"),
        Key("comment", "text"),
        Key(
            "keep",
            "list of silver columns",
            "none",
            doc="Silver columns that appear unchanged, before the table's own; a kept key column "
            "is not nullable here.",
        ),
        Key("columns", "mapping of column name to mapping", "none"),
    ),
)

MODEL = Keys(
    "",
    Model,
    (
        Key("name", "name, equal to the file's"),
        Key("title", "text"),
        Key("description", "text"),
        Key("table", "gold table of mode rows"),
        Key("label", "boolean column, not nullable"),
        Key("event_time", "timestamp or date column, not nullable"),
        Key("maturity_days", "whole number, 0 or more"),
        Key("split", "mapping"),
        Key("features", "mapping of feature name to mapping"),
        Key("training", "mapping", "every default"),
        Key("thresholds", "mapping of metric to mapping"),
        Key("slices", "list of lists of feature columns", "none"),
        Key("limits", "list of mappings", "none"),
        Key("min_domain_mass", "number, 0 to 1", "1.0"),
        Key("handoff", "snapshot_example_gen or csv_example_gen", "snapshot_example_gen"),
        Key("examples", "list of mappings of feature column to value", "none"),
        Key("preprocessing", "module.function", NOTHING),
    ),
)

SPLIT_RELATIVE = Keys(
    "split (kind: relative)",
    Split,
    (
        Key("kind", "relative"),
        Key("eval_days", "whole number, 1 or more"),
        Key("test_days", "whole number, 1 or more"),
        Key("train_days", "whole number, 1 or more", "all there is"),
    ),
)

SPLIT_FIXED = Keys(
    "split (kind: fixed)",
    Split,
    (
        Key("kind", "fixed"),
        Key("eval_from", "YYYY-MM-DD"),
        Key("test_from", "YYYY-MM-DD"),
        Key("until", "YYYY-MM-DD"),
    ),
)

TRAINING = Keys(
    "training",
    Training,
    (
        Key("hidden_units", "list of whole numbers, 1 to 8192", "[64, 32]"),
        Key("dropout", "number, 0 to 0.95", "0.1"),
        Key("learning_rate", "number above 0", "0.001"),
        Key("l2", "number, 0 or more", "0"),
        Key("batch_rows", "whole number, 1 or more", "1024"),
        Key("epochs", "whole number, 1 or more", "10"),
        Key("patience", "whole number, 0 or more", "2"),
        Key("seed", "whole number, 0 to 2147483647", "0"),
    ),
)

THRESHOLD = Keys(
    "thresholds.METRIC",
    Threshold,
    (
        Key("min", "number", NOTHING, attribute="minimum"),
        Key("max", "number", NOTHING, attribute="maximum"),
        Key("max_drop", "number, 0 or more", NOTHING),
    ),
    note="At least one of the three.",
)

LIMIT = Keys(
    "limits[]",
    DriftLimit,
    (
        Key("column", "feature column"),
        Key("compare", "drift or skew"),
        Key("infinity_norm", "number above 0, to 1", NOTHING),
        Key("jensen_shannon", "number above 0, to 1", NOTHING),
    ),
    note="At least one of infinity_norm and jensen_shannon.",
)


@dataclass(frozen=True)
class Param:
    """A parameter of a feature kind.

    Attributes:
        name: As written in YAML.
        default: Its value where it is not written; None: required.
        minimum: Least value allowed.
        maximum: Greatest value allowed.
        doc: Explanation.
    """

    name: str
    default: int | None
    minimum: int
    maximum: int
    doc: str


def _embedding(default: int, note: str) -> Param:
    return Param("embedding", default, 0, 1024, f"Width of the embedding; 0: {note}.")


FEATURE_PARAMS: dict[str, tuple[Param, ...]] = {
    "categorical": (
        _embedding(8, "one-hot into the deep part"),
        Param("min_count", 1, 1, 10**9, "Rarer values share the out-of-vocabulary buckets."),
        Param("oov_buckets", 1, 1, 10**6, "Buckets for values that training did not see."),
    ),
    "numeric": (
        Param("buckets", 0, 0, 1000, "Quantile buckets into the wide part; 0: z-score only."),
    ),
    "cyclic": (Param("period", None, 2, 10**6, "Values that make one turn, such as 24 hours."),),
    "position": (
        Param("cells", 16, 2, 1000, "Grid cells per axis, by quantiles."),
        _embedding(8, "one-hot into the deep part"),
    ),
    "crossed": (
        Param("buckets", 1024, 2, 10**7, "Buckets of the hash."),
        _embedding(0, "wide part only"),
    ),
    "text": (
        Param("max_tokens", 1000, 1, 10**6, "Size of the vocabulary."),
        Param("embedding", 8, 1, 1024, "Width of a word's embedding."),
    ),
}

FEATURE_TYPES: dict[str, tuple[str, ...]] = {
    "categorical": ("string", "long", "boolean"),
    "numeric": ("double", "long"),
    "cyclic": ("long",),
    "position": ("double",),
    "crossed": ("string", "long", "boolean"),
    "text": ("string",),
}


def feature_keys(kind: str) -> Keys:
    """The keys of a feature of this kind."""
    columns = {
        "position": "list of two columns: latitude, longitude",
        "crossed": "list of two or three columns of categorical or cyclic features",
    }.get(kind)
    params = tuple(
        Key(
            p.name,
            f"whole number, {p.minimum} to {p.maximum}",
            None if p.default is None else str(p.default),
            doc=p.doc,
        )
        for p in FEATURE_PARAMS[kind]
    )
    return Keys(
        f"features.NAME (kind: {kind})",
        Feature,
        (
            Key("kind", kind, doc=f"Column types: {', '.join(FEATURE_TYPES[kind])}."),
            Key(
                "columns",
                columns or "list of one column",
                None if columns else "the feature's name",
            ),
            *params,
        ),
    )


METRICS: dict[str, bool | None] = {
    "auc": True,
    "auc_precision_recall": True,
    "binary_accuracy": True,
    "precision": True,
    "recall": True,
    "binary_crossentropy": False,
    "calibration": None,
}
"""Metrics a threshold may bound: whether higher is better; None: neither (no ``max_drop``)."""
