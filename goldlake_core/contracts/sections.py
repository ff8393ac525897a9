"""The sections of ``contract.yaml`` and ``models/NAME.yaml``: each key is declared here, once.

A Struct is a section as the rest of goldlake reads it. An attribute with a `Key` is a key of the
YAML file; the others (a column's name, a gold table's columns) come from where the section lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from goldlake_core.contracts.addresses import Hidden
from goldlake_core.contracts.column_types import NUMBERS, TIMES, ColumnType
from goldlake_core.contracts.heads import HeadKind
from goldlake_core.contracts.keys import Form, Key

WireNullKind = Literal["nan", "text", "flag"]
FeatureKind = Literal["categorical", "numeric", "cyclic", "position", "crossed", "text"]
Handoff = Literal["snapshot_example_gen", "csv_example_gen"]
NotifyStatus = Literal["refused", "failed", "interrupted"]
Known = Literal["at_event", "at_report", "amended"]
Calibrate = Literal["auto", "never"]
RunTime = Literal["epochs", "batch_rows", "learning_rate", "dropout", "l2", "seed"]
"""The keys of ``training`` that may be run-time parameters of a compiled pipeline."""
SPLITS = ("train", "eval", "test")
STEPS = (
    "DataSnapshotGen",
    "SnapshotExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "CuratedSchema",
    "ExampleValidator",
    "ValidationVerdictGen",
    "ValidationStop",
    "Transform",
    "TrainingParameters",
    "Trainer",
    "ServingModel",
    "Evaluator",
    "Blessing",
    "ServingCheck",
    "Pusher",
)
"""Steps that a compiled pipeline may have, in the order of the data."""

_DAYS = 36_500


class Section(msgspec.Struct, frozen=True):
    """A part of a contract; frozen, compared by value, and read and written as JSON by msgspec."""


class WireNull(Section, frozen=True):
    """How a missing value of a column travels in JSON, where TF Serving's row format has no null.

    Attributes:
        kind: ``nan`` (the bare token NaN; double only), ``text`` (a reserved string) or ``flag``
            (a boolean input beside the column, true when the value is present).
        token: The reserved string (kind ``text``) or the flag's input name (kind ``flag``).
    """

    kind: WireNullKind
    token: str = ""


# fmt: off
class Column(Section, frozen=True):
    """One column of a table, with what is needed to parse, check, describe and serve it."""

    name: str
    type: Annotated[ColumnType, Key("Type of the column in the table. Timestamps are stored in UTC.", "rebuild")]
    comment: Annotated[str, Key("One sentence about the column. It becomes the Delta column comment and the catalogue's text.", "follow", form=Form.TEXT, default="names the field")] = ""
    field: Annotated[str, Key("Field of the source's record that holds the value. In files a name counts as it is written there, `NAME#2` is the second column of that name, and a number is the place of a column without a name, from 1. `$key` is the key that a connector gives a record whose source gives none that lasts.", "rebuild", form=Form.FIELD, default="the column's name", in_gold=False)] = ""
    nullable: Annotated[bool, Key("Whether a value may be missing. A missing value in another column is quarantined.", "rebuild")] = True
    format: Annotated[str | tuple[str, ...] | None, Key("How the source writes the time: a Spark datetime pattern, `iso` for ISO 8601, `epoch_s` or `epoch_ms` for seconds or milliseconds since 1970 UTC, or a list of these, of which the first that fits counts. A timestamp or date must have it.", "rebuild", form=Form.FORMATS, only=TIMES, in_gold=False)] = None
    time_zone: Annotated[str | None, Key("Zone of the source's clock. A timestamp whose format has no offset must have it.", "rebuild", form=Form.ZONE, only=("timestamp",), in_gold=False)] = None
    pad: Annotated[int | None, Key("Width to which a code is padded with zeros on the left, after zeros of the source are stripped.", "rebuild", 1, 64, only=("string",), in_gold=False)] = None
    replace: Annotated[Mapping[str, str], Key("Spellings of the source and what each becomes.", "rebuild", form=Form.FREE, of="text to text", default="none", in_gold=False)] = {}
    null_values: Annotated[tuple[str, ...], Key("Texts of the source that mean that the value is missing.", "rebuild", form=Form.TEXTS, default="none", in_gold=False)] = ()
    domain: Annotated[tuple[str, ...] | None, Key("All values that the column may hold.", "rebuild", form=Form.TEXTS, only=("string",), least=1)] = None
    range: Annotated[tuple[int | float | None, int | float | None] | None, Key("Lowest and highest value that the column may hold.", "rebuild", form=Form.RANGE, only=NUMBERS)] = None
    pattern: Annotated[str | None, Key("Regular expression that the whole text must match.", "rebuild", form=Form.PATTERN, only=("string",))] = None
    wire_null: Annotated[WireNull | None, Key("How a missing value travels to a served model: as NaN, as a reserved text, or beside a presence flag. A nullable column that a model reads must have it.", "follow", form=Form.WIRE_NULL)] = None
    unit: Annotated[str | None, Key("Unit of measurement, for people.", "follow", form=Form.TEXT)] = None
    file: Annotated[str | None, Key("Regular expression over the name of the record's file. The text of its first group is the value, and `field` is not read. A record that was landed before the contract had the key has no value.", "rebuild", form=Form.PATTERN, in_gold=False, later=True)] = None
    decimal: Annotated[str, Key("Decimal mark of the source's numbers.", "rebuild", form=Form.MARK, only=NUMBERS, in_gold=False, default="that of `source.format`", later=True)] = "."
    thousands: Annotated[str, Key("Mark between groups of three digits in the source's numbers.", "rebuild", form=Form.MARK, only=NUMBERS, in_gold=False, default="that of `source.format`", later=True)] = ""
    gate: Annotated[float, Key("Factor on the room that the validation gate's limits leave this column: 2 doubles it, 0.5 halves it.", "follow", high=1000, above=0, later=True)] = 1.0

    expr: Annotated[str, Key("Spark SQL that computes the column from silver columns, those of `lookups` and computed ones before it. A function over a window of the table is written `avg(x) over last5`. A table whose `build` makes the rows has none.", "rebuild", form=Form.TEXT, default="none", in_silver=False, later=True)] = ""
    known: Annotated[Known, Key("When the value is known: `at_event`, `at_report` of the event, or `amended` afterwards, such as an outcome. A feature may not read what is amended, nor what is computed from it.", "follow", later=True)] = "at_event"

    @property
    def formats(self) -> tuple[str, ...]:
        """How the source writes the time: the formats to try, in order."""
        if self.format is None:
            return ()
        return (self.format,) if isinstance(self.format, str) else self.format


class Check(Section, frozen=True):
    """A rule over several columns of one silver row."""

    code: Annotated[str, Key("Reason code of a quarantined row and name of the CHECK constraint. Each code is used once.", "rebuild", form=Form.NAME)]
    expect: Annotated[str, Key("Spark SQL over silver columns. A row passes when it is true or null.", "rebuild", form=Form.TEXT)]
    comment: Annotated[str, Key("One sentence that explains the rule to people.", "follow", form=Form.TEXT)]


class Format(Section, frozen=True):
    """How files of text are written. All but `encoding` and `skip_lines` are about CSV."""

    delimiter: Annotated[str, Key("What separates two fields: one character, `tab`, or `blanks` for any number of blanks.", "follow", form=Form.DELIMITER)] = ","
    encoding: Annotated[str, Key("Encoding of the text, as Python names it.", "follow", form=Form.ENCODING)] = "utf-8"
    skip_lines: Annotated[int, Key("Number of lines before the header, or before the first record.", "follow", 0, 1000)] = 0
    header: Annotated[bool, Key("Whether the first line names the columns. Without it they are called `column_1`, `column_2` and so on.", "follow")] = True
    decimal: Annotated[str, Key("Decimal mark of numbers. A change of it changes every column of numbers, which is made again.", "follow", form=Form.MARK)] = "."
    thousands: Annotated[str, Key("Mark between groups of three digits, as in 8,380. A change of it changes every column of numbers, which is made again.", "follow", form=Form.MARK, default="none")] = ""
    quote: Annotated[str, Key('Character around a field that holds a delimiter or a line break. "" is none.', "follow", form=Form.MARK)] = '"'


class PagesOf(Section, frozen=True):
    """How an API divides its records into pages."""

    kind: Annotated[Literal["offset", "page", "cursor", "link"], Key("What leads to the next page: the number of records before it, its number, a value of the answer, or the header `Link` with `rel=next`. An empty page is the end of the first two.", "follow")]
    parameter: Annotated[str, Key("Query parameter that has the offset, the number or the cursor. A link needs none.", "follow", form=Form.TEXT, default="the kind")] = ""
    size_parameter: Annotated[str, Key("Query parameter that has the number of records wanted, `source.page_rows`.", "follow", form=Form.TEXT, default="none")] = ""
    first: Annotated[int, Key("Number of the first page, or the offset of the first record.", "follow", 0, 1)] = 0
    path: Annotated[str, Key("Place of the next cursor in the answer, with dots between names. The last page has none, or an empty one.", "follow", form=Form.TEXT, default="none")] = ""
    header: Annotated[str, Key("Header of the answer that holds the next cursor.", "follow", form=Form.TEXT, default="none")] = ""


class Incremental(Section, frozen=True):
    """What a later poll asks for: the records that follow the newest landed one.

    The API must answer with ascending values of the field.
    """

    field: Annotated[str, Key("Field of a record that ascends, such as a time of update, as text that sorts by it.", "follow", form=Form.TEXT)]
    parameter: Annotated[str, Key("Query parameter that has the value of the first record to answer with.", "follow", form=Form.TEXT)]
    id: Annotated[str, Key("Field that tells records of one value apart.", "follow", form=Form.TEXT, default="the whole record")] = ""


class Auth(Section, frozen=True):
    """How requests say who asks. The secret is in the environment, and is sent over https only."""

    kind: Annotated[Literal["bearer", "basic", "header"], Key("`bearer` token, `basic` with USER:PASSWORD, or a `header` with a key.", "follow")]
    env: Annotated[str, Key("Environment variable that holds the secret.", "follow", form=Form.TEXT)]
    header: Annotated[str, Key("Name of the header, for kind `header`.", "follow", form=Form.TEXT, default="none")] = ""


class Rest(Section, frozen=True):
    """How an API that answers with JSON is asked."""

    parameters: Annotated[Mapping[str, str], Key("Query parameters of each request. Secrets do not belong here.", "follow", form=Form.FREE, of="text to text", default="none")] = {}
    records: Annotated[str, Key("Place of the list of records in the answer, with dots between names.", "follow", form=Form.TEXT, default="the answer itself")] = ""
    paging: Annotated[PagesOf | None, Key("How the records are divided into pages.", "follow", form=Form.SECTION, default="one answer holds all")] = None
    incremental: Annotated[Incremental | None, Key("What a later poll asks for. It does not go with `paging`: a page follows the last record of the page before it.", "follow", form=Form.SECTION, default="all records")] = None
    auth: Annotated[Auth | None, Key("How requests say who asks.", "follow", form=Form.SECTION, default="not at all")] = None
    proxy: Annotated[Hidden | None, Key("Proxy of all requests, or the environment variable that holds its address.", "follow", form=Form.WEBHOOK, default="the environment's HTTPS_PROXY")] = None
    ca_file: Annotated[str, Key("PEM file of the authorities that vouch for the server, relative to the folder of the use case.", "follow", form=Form.PATH, default="the system's")] = ""
    requests_per_s: Annotated[float, Key("Most requests per second.", "follow", high=1000, above=0)] = 10.0
    attempts: Annotated[int, Key("Tries of one request before it fails.", "follow", 1, 20)] = 8
    timeout_s: Annotated[int, Key("Seconds that one try may wait for the answer.", "follow", 1, 600)] = 120


class Source(Section, frozen=True):
    """Where records come from."""

    kind: Annotated[str, Key("Kind of source, which names its connector, such as `files`.", "refuse", form=Form.NAME)]
    address: Annotated[str, Key("Base URL of the live API. Sources that are files have none.", "follow", form=Form.ADDRESS, default="none")] = ""
    path: Annotated[str, Key("Files of a `files` source: a file, a folder, a pattern such as `data/*.csv.gz`, or a URL of such. A path counts from the folder of the use case.", "follow", form=Form.PATH, default="the folder of the use case", later=True)] = ""
    format: Annotated[Format | None, Key("How the files of a `files` source are written.", "follow", form=Form.SECTION, default="every default", later=True)] = None
    rest: Annotated[Rest | None, Key("How the API of a `rest` source is asked. Its `address` is the whole URL without the query.", "follow", form=Form.SECTION, default="every default", later=True)] = None
    dataset: Annotated[str, Key("Identifier of the data set at that address. Sources of kind `files` and `rest` may leave it out.", "refuse", form=Form.DATASET, default="the use case's name")] = ""
    page_rows: Annotated[int, Key("Number of rows that one request asks for.", "follow", 1, 1_000_000)] = 10_000
    time_field: Annotated[str, Key("Field of the record that `--since` and `--until` limit.", "follow", form=Form.TEXT, default="none")] = ""
    generator: Annotated[str | None, Key("Function of the use case's folder that yields rows for the simulator.", "refuse", form=Form.FUNCTION)] = None
    overlap: Annotated[str, Key("How far before the newest landed record a poll begins, for records that the source commits late. Records that are landed already are left out.", "follow", form=Form.DURATION)] = "1d"
    drift: Annotated[Literal["evolve", "stop"], Key("What a field does that the source gains or loses: `evolve` lands the records and tells it; `stop` lands nothing that has it.", "follow")] = "evolve"
    most_deleted: Annotated[float, Key("Largest share of silver's rows that one `goldlake reconcile` may delete. If the source holds fewer keys, the command refuses.", "follow", 0, 1)] = 0.05
    options: Annotated[Mapping[str, Any], Key("Settings that only this kind of source understands. Its connector checks them.", "follow", form=Form.FREE, default="none")] = {}


class Silver(Section, frozen=True, kw_only=True):
    """The typed, deduplicated table: one row per key, the newest version."""

    table: Annotated[str, Key("Name of the table, the last part of `USECASE.silver.NAME`.", "rebuild", form=Form.NAME)] = "rows"
    comment: Annotated[str, Key("One sentence about the table, which becomes its Delta comment.", "follow", form=Form.TEXT)] = "One row per record of the source, the newest version known."
    key: Annotated[tuple[str, ...], Key("Columns that together identify a row. `content` adds the column `content_id`, a hash of the record: each record of a file is a row, and a record that is landed again is the same row.", "rebuild", form=Form.KEY, of="not nullable", default="content for files, else required")] = ()
    version: Annotated[str, Key("Column whose larger value is the newer version of a row. Without it, what was landed later is newer.", "rebuild", form=Form.COLUMN, of="not nullable", default="none")] = ""
    event_time: Annotated[str, Key("Timestamp or date column that says when the fact happened. Static data have none.", "rebuild", form=Form.COLUMN, of="not nullable", default="none")] = ""
    columns: Annotated[tuple[Column, ...], Key("The columns in the order of the table.", "rebuild", form=Form.SECTIONS, least=1)]
    checks: Annotated[tuple[Check, ...], Key("Rules over several columns of a row.", "rebuild", form=Form.LIST, default="none")] = ()
    most_rejected: Annotated[float, Key("Largest share of rejected records among those that a run decides. Above it nothing is refined and the run ends with exit code 3. Up to 5 rejected records are always accepted.", "follow", 0, 1)] = 0.05
    period: Annotated[Literal["day", "week", "month"] | None, Key("Length of the periods of event time that the validation gate compares.", "follow", default="month, or week where there is less", later=True)] = None
    gate: Annotated[float, Key("Factor on the room that the validation gate's limits leave what is about no single column, such as the rows a day.", "follow", high=1000, above=0, later=True)] = 1.0

    def column(self, name: str) -> Column:
        """The column called ``name``; raises KeyError."""
        return _column(self.columns, name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(c.name for c in self.columns)


class Lookup(Section, frozen=True, kw_only=True):
    """A file that is joined to silver by key: names of codes, populations, answers."""

    name: str
    path: Annotated[str, Key("The file, on this machine. A path counts from the folder of the use case. A changed file makes the table again.", "rebuild", form=Form.PATH)]
    format: Annotated[Format | None, Key("How the file is written.", "rebuild", form=Form.SECTION, default="every default")] = None
    key: Annotated[tuple[str, ...], Key("Columns of the file that silver has under the same names. Each key is there once. A silver row whose key is not there gets no values, and is counted. With `at` it may be left out.", "rebuild", form=Form.COLUMNS, default="required, none with `at`")] = ()
    at: Annotated[str, Key("Timestamp or date column of the file with the time of its record, such as a measurement. A silver row gets the newest record at or before its own time, so that it holds what was known at the event. A key may then be there once for each time.", "rebuild", form=Form.COLUMN, default="none")] = ""
    of: Annotated[str, Key("Timestamp or date column of silver with the row's own time.", "rebuild", form=Form.COLUMN, of="of silver", default="required with `at`")] = ""
    within: Annotated[str, Key("How old the record may be.", "rebuild", form=Form.DURATION)] = "1d"
    columns: Annotated[tuple[Column, ...], Key("The columns that are read of the file. Those that are not of the key appear in the gold table. The field `#` is the number of the record in its file, from 1.", "rebuild", form=Form.SECTIONS, least=1)]


class Cluster(Section, frozen=True, kw_only=True):
    """A gold column with the number of the group that a row is nearest to, by KMeans.

    Event time is divided into intervals of one length, counted from 1970. The rows of an interval
    get their numbers by a fit on rows that happened before the interval began, and on no others.
    """

    name: str
    columns: Annotated[tuple[str, ...], Key("Columns of numbers of the table. A row that lacks one of them is in no cluster.", "rebuild", form=Form.COLUMNS, least=1)]
    k: Annotated[int, Key("Number of clusters, from 0 to one less. A fit on fewer different points has as many as there are points.", "rebuild", 2, 256)]
    time: Annotated[str, Key("Timestamp or date column of the table whose intervals count. A model that reads the cluster splits its rows by the same column.", "rebuild", form=Form.COLUMN, of="not nullable", default="`silver.event_time`")] = ""
    every: Annotated[str, Key("Length of the intervals, a day or more. A new interval has a new fit, which keeps the numbers of the clusters.", "rebuild", form=Form.DURATION)] = "90d"
    scale: Annotated[Literal["z", "none"], Key("`z` divides each column by its standard deviation, so that all columns count alike; `none` takes them as they are, such as coordinates.", "rebuild")] = "z"
    rows: Annotated[int, Key("Most rows of a fit. Of more, those with the least hashes of the key are taken.", "rebuild", 100, 1_000_000)] = 20_000
    seed: Annotated[int, Key("Seed of the fit.", "rebuild", 0, 2**31 - 1)] = 0
    comment: Annotated[str, Key("One sentence about the column.", "follow", form=Form.TEXT, default="names the columns")] = ""
    wire_null: Annotated[WireNull | None, Key("How a missing cluster travels to a served model: {flag: NAME}.", "follow", form=Form.WIRE_NULL)] = None


class GoldTable(Section, frozen=True):
    """A table that is maintained from silver's change data feed.

    In mode ``rows``, ``build(silver)`` returns the rows; without a build, the kept columns, those of
    ``lookups`` and the computed ones are the row. Without ``reach`` and ``per`` each is made of the
    silver row with its key alone. In mode ``aggregate``, ``build(silver, changes, gold)`` returns the rows to
    upsert, and those to remove with a true column ``_deleted``; changes and gold are None when all
    rows are to be made.
    """

    name: str
    comment: Annotated[str, Key("One sentence about the table, which becomes its Delta comment.", "follow", form=Form.TEXT)] = "Rows of silver, with what is computed from them."
    mode: Annotated[Literal["rows", "aggregate"], Key("`rows` makes one row per silver row, with the same key; `aggregate` makes rows from many.", "rebuild")] = "rows"
    build: Annotated[str, Key("Function of the use case's folder that makes the rows. Mode `aggregate` must have it.", "rebuild", form=Form.FUNCTION, default="none")] = ""
    key: Annotated[tuple[str, ...], Key("Columns that together identify a row. Mode `aggregate` must have it.", "rebuild", form=Form.COLUMNS, default="silver's key", least=1)] = ()
    columns: Annotated[tuple[Column, ...], Key("The table's own columns, which follow the kept ones. A computed column has no source field.", "rebuild", form=Form.SECTIONS, default="none")] = ()
    reach: Annotated[tuple[str, ...], Key("Silver columns that form a unit: a row is made of silver rows of its unit only. Without it and without `reach_order`, a row is made of the silver row with its key only.", "rebuild", form=Form.COLUMNS, of="of silver", default="none")] = ()
    reach_order: Annotated[str | None, Key("Timestamp or date column of silver that bounds how far a row looks inside its unit.", "rebuild", form=Form.COLUMN, of="of silver")] = None
    reach_before: Annotated[str, Key("How far before its own `reach_order` a row looks.", "rebuild", form=Form.DURATION)] = "0"
    reach_after: Annotated[str, Key("How far after its own `reach_order` a row looks.", "rebuild", form=Form.DURATION)] = "0"
    keep: Annotated[tuple[str, ...], Key("Silver columns that appear unchanged, before the table's own. A kept key column is not nullable here.", "rebuild", form=Form.COLUMNS, of="of silver", default="all without a `build`, else none")] = ()
    lookups: Annotated[tuple[Lookup, ...], Key("Files that are joined to silver by key. A `build` gets their columns, too.", "rebuild", form=Form.SECTIONS, default="none", later=True)] = ()
    per: Annotated[tuple[str, ...], Key("Columns that form a unit, such as a machine: of silver, or computed here from the silver row. Windows lie inside of a unit. When what its windows read changes in one of its rows, all are made again, or those from which windows by time reach it. Without it, the whole table is one unit, and windows are by time.", "rebuild", form=Form.COLUMNS, of="of silver or computed", default="none", later=True)] = ()
    order: Annotated[tuple[str, ...], Key("Silver columns by which the rows of a unit are ordered. Rows that are equal in them are ordered by the key. Windows by time count by the first one, a timestamp or date.", "rebuild", form=Form.COLUMNS, of="of silver", default="none", later=True)] = ()
    windows: Annotated[Mapping[str, int | str], Key("Windows for `expr`: the last N rows of the unit, the row itself included; the rows of a length of time such as `28d` that ends with the row's own time; or `all` rows of the unit. `all` looks ahead, so that no feature may read it; a label may.", "rebuild", form=Form.WINDOWS, default="none", later=True)] = {}
    clusters: Annotated[tuple[Cluster, ...], Key("Columns that number groups of similar rows, after all other columns.", "rebuild", form=Form.SECTIONS, default="none", later=True)] = ()

    def column(self, name: str) -> Column:
        """The column called ``name``; raises KeyError."""
        return _column(self.columns, name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(c.name for c in self.columns)

    @property
    def computed_units(self) -> tuple[Column, ...]:
        """The columns of ``per`` that the contract computes, each of the silver row alone."""
        return tuple(c for c in self.columns if c.expr and c.name in self.per)


class Categorical(Section, frozen=True):
    """A value out of a vocabulary that is learned from the train split."""

    embedding: Annotated[int, Key("Width of the embedding. With 0 the deep part gets a one-hot vector.", "follow", 0, 1024)] = 8
    min_count: Annotated[int, Key("Rarer values share the out-of-vocabulary buckets.", "follow", 1, 10**9)] = 1
    oov_buckets: Annotated[int, Key("Number of buckets for values that training did not see.", "follow", 1, 10**6)] = 1


class Numeric(Section, frozen=True):
    """A number, scaled."""

    buckets: Annotated[int, Key("Number of quantile buckets for the wide part. With 0 there is the z-score only.", "follow", 0, 1000)] = 0
    scale: Annotated[Literal["z", "minmax", "log", "none"], Key("How the number is scaled for the deep part, by the train split: `z` to mean 0 and deviation 1, `log` the same after the logarithm of 1 more than the absolute value, with the sign, `minmax` to 0 and 1 at the smallest and the greatest value, `none` not at all.", "follow", later=True)] = "z"


class Cyclic(Section, frozen=True):
    """A number that comes round, as sine and cosine of 2·pi·value/period, and one-hot."""

    period: Annotated[int, Key("Number of values that make one turn, such as 24 hours.", "follow", 2, 10**6)]


class Position(Section, frozen=True):
    """A latitude and a longitude, as z-scores and as a cell of a grid of quantiles."""

    cells: Annotated[int, Key("Number of grid cells on each axis, cut at quantiles.", "follow", 2, 1000)] = 16
    embedding: Annotated[int, Key("Width of the embedding. With 0 the deep part gets a one-hot vector.", "follow", 0, 1024)] = 8


class Crossed(Section, frozen=True):
    """The combination of two or three categorical or cyclic columns, as a hash."""

    buckets: Annotated[int, Key("Number of buckets of the hash.", "follow", 2, 10**7)] = 1024
    embedding: Annotated[int, Key("Width of the embedding. With 0 only the wide part uses the feature.", "follow", 0, 1024)] = 0


class Words(Section, frozen=True):
    """A text, as the mean of the embeddings of its lower-cased words and of runs of them."""

    max_tokens: Annotated[int, Key("Greatest size of the vocabulary, by frequency.", "follow", 1, 10**6)] = 1000
    embedding: Annotated[int, Key("Width of a word's embedding.", "follow", 1, 1024)] = 8
    max_words: Annotated[int, Key("Number of words of one text that are read; the rest are dropped.", "follow", 1, 10_000, later=True)] = 16
    ngrams: Annotated[int, Key("Greatest length of the runs of words that are tokens too: 2 adds pairs, 3 also triples.", "follow", 1, 3, later=True)] = 1
    encoder: Annotated[str | None, Key("Folder inside that of the use case with a SavedModel that takes texts, string [n], when it is called, and returns vectors, float32 [n, d]. It takes the place of words and is not trained further.", "follow", form=Form.PATH, default="none", later=True)] = None


class Kind(NamedTuple):
    """What a kind of feature takes: its parameters, types of its columns, and how many of them."""

    params: type[Section]
    types: tuple[str, ...]
    fewest: int
    most: int


FEATURES: Mapping[str, Kind] = {
    "categorical": Kind(Categorical, ("string", "long", "boolean"), 1, 1),
    "numeric": Kind(Numeric, ("double", "long"), 1, 1),
    "cyclic": Kind(Cyclic, ("long",), 1, 1),
    "position": Kind(Position, ("double",), 2, 2),
    "crossed": Kind(Crossed, ("string", "long", "boolean"), 2, 3),
    "text": Kind(Words, ("string",), 1, 1),
}


class Feature(Section, frozen=True):
    """One model input, or one derived from several."""

    name: str
    kind: Annotated[FeatureKind, Key("What the feature makes of its columns.", "follow")]
    columns: Annotated[tuple[str, ...], Key("Gold columns that the feature reads. A position reads latitude and longitude.", "follow", form=Form.COLUMNS, default="the feature's name")] = ()
    params: Mapping[str, Any] = {}


class Split(Section, frozen=True):
    """How rows are divided into train, eval and test.

    By event time, ``train < eval_from <= eval < test_from <= test < until``. Relative boundaries are
    counted back from the anchor, which is the earlier of the end of the data (midnight after the
    newest event) and ``as_of - maturity_days``. Both are facts of the gold version. With ``gap_days``,
    train ends that long before eval begins, and eval that long before test begins.

    By hash, rows that are equal in the columns of ``by`` stay together, and stay in their split when
    data are added. By column, the column says ``train``, ``eval`` or ``test``; rows with another
    text, or none, are left out.
    """

    kind: Annotated[Literal["relative", "fixed", "hash", "column"], Key("Whether windows of time are counted back from the data (`relative`) or begin on fixed days (`fixed`), a hash of columns decides (`hash`), or a column says it (`column`).", "follow")]
    eval_days: Annotated[int, Key("Length of the eval window in days.", "follow", 1, _DAYS, required=True, variants=("relative",))] = 0
    test_days: Annotated[int, Key("Length of the test window in days.", "follow", 1, _DAYS, required=True, variants=("relative",))] = 0
    train_days: Annotated[int | None, Key("Length of the train window in days. Without it all earlier rows train.", "follow", 1, _DAYS, variants=("relative",))] = None
    eval_from: Annotated[date | None, Key("First day of the eval window.", "follow", required=True, variants=("fixed",))] = None
    test_from: Annotated[date | None, Key("First day of the test window.", "follow", required=True, variants=("fixed",))] = None
    until: Annotated[date | None, Key("First day after the test window.", "follow", required=True, variants=("fixed",))] = None
    by: Annotated[tuple[str, ...], Key("Columns whose rows of equal values stay together, such as a customer or a machine.", "follow", form=Form.COLUMNS, default="the key of the table", variants=("hash",), later=True)] = ()
    eval: Annotated[float, Key("Share of the hashes that go to eval.", "follow", high=0.5, above=0, variants=("hash",), later=True)] = 0.1
    test: Annotated[float, Key("Share of the hashes that go to test.", "follow", high=0.5, above=0, variants=("hash",), later=True)] = 0.2
    column: Annotated[str, Key("Column of texts that says which split a row belongs to.", "follow", form=Form.COLUMN, required=True, variants=("column",), later=True)] = ""
    gap_days: Annotated[int, Key("Days that are left out between train and eval, and between eval and test. Relative windows keep their lengths and begin earlier; fixed ones end earlier.", "follow", 0, _DAYS, variants=("relative", "fixed"), later=True)] = 0

    @property
    def is_by_time(self) -> bool:
        """Whether event time decides."""
        return self.kind in ("relative", "fixed")


class Head(Section, frozen=True):
    """What kind of answer a model gives."""

    kind: Annotated[HeadKind, Key("`binary`: the probability that a boolean label is true. `multiclass`: the class of a row, and a probability per class. `regression`: a number. `count`: a number of events, as a rate per unit of an exposure.", "follow")]
    exposure: Annotated[str, Key("Column with what the events can come from, such as inhabitants or days. The count is in proportion to it. It is an input of the served model.", "follow", form=Form.COLUMN, of="not nullable", default="1 for each row", variants=("count",))] = ""


class Training(Section, frozen=True):
    """How the network is trained. What is None depends on the number of rows; see `sized`."""

    hidden_units: Annotated[tuple[int, ...] | None, Key("Widths of the hidden layers of the deep part.", "follow", 1, 8192, least=1, default="by rows: [16] to [64, 32]")] = None
    dropout: Annotated[float, Key("Share of units that are dropped after each hidden layer.", "follow", 0, 0.95)] = 0.1
    learning_rate: Annotated[float | None, Key("Learning rate of the Adam optimizer.", "follow", above=0, default="by rows: 0.005 to 0.001")] = None
    l2: Annotated[float, Key("Weight decay of the wide part.", "follow", 0)] = 0.0
    batch_rows: Annotated[int | None, Key("Number of rows in one training step.", "follow", 1, 10_000_000, default="by rows: 16 to 1024")] = None
    epochs: Annotated[int | None, Key("Greatest number of epochs.", "follow", 1, 100_000, default="by rows: 200 to 10")] = None
    patience: Annotated[int | None, Key("Number of epochs without a better result on eval before training stops.", "follow", 0, 100_000, default="by rows: 20 to 2")] = None
    seed: Annotated[int, Key("Seed of all random number generators.", "follow", 0, 2**31 - 1)] = 0
    class_weight: Annotated[Literal["balanced"] | None, Key("`balanced` weighs the rows of each class so that all classes weigh alike. The head is binary or multiclass.", "follow", later=True)] = None
    oversample: Annotated[Literal["smote"] | None, Key("`smote` adds rows between rows of the rarer class, to the train split only, after Transform. The head is binary, and all features are numbers.", "follow", later=True)] = None
    calibrate: Annotated[Calibrate, Key("Whether the trainer repairs the probabilities with Platt's line of log odds, fitted on eval. `auto` does so with a `decision`, `class_weight` or `oversample`, and else where their sum on eval is off by more than 1 percent and by more than chance explains. The head is binary.", "follow", later=True)] = "auto"

    def sized(self, rows: int) -> Training:
        """The parameters with those that the contract leaves out chosen by the number of rows.

        A step sees about a fiftieth of the rows, and there are up to about 4,000 steps: a few
        hundred rows need many epochs, and a million rows need few.

        Args:
            rows: Number of rows of the train split.
        """
        batch = self.batch_rows or 1 << (max(16, min(1024, rows // 50)).bit_length() - 1)
        steps = max(1, -(-rows // batch))
        epochs = self.epochs or max(10, min(200, -(-4000 // steps)))
        return msgspec.structs.replace(
            self,
            hidden_units=self.hidden_units or next(u for least, u in _HIDDEN if rows >= least),
            learning_rate=self.learning_rate or next(r for least, r in _RATES if rows >= least),
            batch_rows=batch,
            epochs=epochs,
            patience=max(2, min(20, epochs // 10)) if self.patience is None else self.patience,
        )


_HIDDEN: tuple[tuple[int, tuple[int, ...]], ...] = ((10_000, (64, 32)), (1000, (32, 16)), (0, (16,)))
_RATES = ((100_000, 0.001), (10_000, 0.002), (0, 0.005))
"""Hidden units and learning rates, each from a number of rows on."""


class Costs(Section, frozen=True):
    """What a wrong answer costs, in any currency."""

    missed: Annotated[float, Key("Cost of a positive that is answered as negative.", "follow", above=0)]
    false_alarm: Annotated[float, Key("Cost of a negative that is answered as positive.", "follow", above=0)]


class Decision(Section, frozen=True):
    """From which probability on a row is answered as positive: one of the two keys."""

    recall: Annotated[float | None, Key("Share of the positives that must be found. The highest threshold that finds them on eval is taken.", "follow", high=1, above=0)] = None
    costs: Annotated[Costs | None, Key("What wrong answers cost. The threshold that is cheapest on eval is taken.", "follow", form=Form.SECTION, default="none")] = None


class Threshold(Section, frozen=True):
    """A bound that a candidate must keep on the test split to be blessed."""

    metric: str
    minimum: Annotated[float | None, Key("Lowest value allowed, inside the range of the metric.", "follow", 0, name="min")] = None
    maximum: Annotated[float | None, Key("Highest value allowed, inside the range of the metric.", "follow", 0, name="max")] = None
    max_drop: Annotated[float | None, Key("How much worse than the model that serves now the candidate may be.", "follow", 0)] = None
    over_baseline: Annotated[float | None, Key("How much better than the best constant answer to the rows of the test split the candidate must be: by this much where higher is better, by this share where lower is better.", "follow", 0, 1, later=True)] = None


class DriftLimit(Section, frozen=True):
    """How far a column's distribution may move before the gate stops the run."""

    column: Annotated[str, Key("Column that a feature reads.", "follow", form=Form.COLUMN)]
    compare: Annotated[Literal["drift", "skew"], Key("`drift` compares train with the train data of the promoted model; `skew` compares test with train.", "follow")]
    infinity_norm: Annotated[float | None, Key("Greatest L-infinity distance of the values' shares. Only string columns have it.", "follow", high=1, above=0)] = None
    jensen_shannon: Annotated[float | None, Key("Greatest Jensen-Shannon divergence.", "follow", high=1, above=0)] = None


class RequestLog(Section, frozen=True):
    """What the embedded server keeps of the requests that it answered, one line of JSON per row."""

    sample: Annotated[float, Key("Share of the requests that are kept.", "follow", high=1, above=0)] = 1.0
    redact: Annotated[tuple[str, ...], Key("Columns that features read and whose values are not kept.", "follow", form=Form.COLUMNS, default="none")] = ()
    file_megabytes: Annotated[int, Key("Size at which a file is finished and the next one begun.", "follow", 1, 4096)] = 64
    file_age: Annotated[str, Key("Age at which a file is finished, however small it is.", "follow", form=Form.DURATION)] = "1h"
    files: Annotated[int, Key("Number of finished files that stay; older ones are removed.", "follow", 1, 1_000_000)] = 1000


class Explain(Section, frozen=True):
    """How the signature `explain` attributes an answer to columns: sampled Shapley values."""

    background_rows: Annotated[int, Key("Number of training rows that are stored in the model, for a column that is left out takes its value from one of them. Each is used twice for each row that is explained.", "follow", 1, 1000)] = 32
    seed: Annotated[int, Key("Seed of the sampled rows and orders of columns.", "follow", 0, 2**31 - 1)] = 0


class Parts(Section, frozen=True):
    """Functions that take the place of goldlake's own: of the use case's folder, or of a package.

    They have the signatures that TFX and goldlake's own functions have.
    """

    preprocessing_fn: Annotated[str | None, Key("`preprocessing_fn(inputs, custom_config)` of TFX Transform, from raw tensors by column to outputs by name. It needs a `run_fn` that knows its outputs.", "follow", form=Form.DOTTED, later=True)] = None
    build_model: Annotated[str | None, Key("`build_model(layout, training, vocabulary_size, numbers, head)`, which returns an uncompiled Keras model. `tfx_pipeline.parts.linear.build_model` is a linear model.", "follow", form=Form.DOTTED, later=True)] = None
    run_fn: Annotated[str | None, Key("`run_fn(fn_args)` of TFX Trainer, which trains and writes a SavedModel with the signatures that are checked before it is pushed.", "follow", form=Form.DOTTED, later=True)] = None
    eval_config: Annotated[str | None, Key("`eval_config(config)`, which gets goldlake's EvalConfig of TFMA and returns the one to use.", "follow", form=Form.DOTTED, later=True)] = None


class Serving(Section, frozen=True):
    """How the model is served."""

    request_log: Annotated[RequestLog | None, Key("What is kept of the requests; without it nothing is.", "follow", form=Form.SECTION, default="nothing")] = None
    record_key: Annotated[str | None, Key("HTTP header, or gRPC metadata, with the key of the record that a request is about. It goes into the request log and never into the model.", "follow", form=Form.TEXT, default="none")] = None
    shadow_sample: Annotated[float, Key("Share of the requests that the version with the label `shadow` answers too, after the caller has the answer. The difference goes to the request log.", "follow", high=1, above=0)] = 1.0
    explain: Annotated[Explain | None, Key("The signature `explain` of the exported model; without it there is none.", "follow", form=Form.SECTION, default="none")] = None
    most_megabytes: Annotated[float | None, Key("Largest size of the exported model. A larger one is not pushed.", "follow", above=0)] = None
    most_milliseconds: Annotated[float | None, Key("Longest median time of a call with one row. A slower model is not pushed.", "follow", above=0)] = None


class KubeflowStep(Section, frozen=True):
    """What the container of one step gets, where it differs from the others."""

    image: Annotated[str, Key("Container image of this step.", "follow", form=Form.IMAGE, default="`kubeflow.image`")] = ""
    cpu: Annotated[float | None, Key("Most CPUs of this step.", "follow", high=1024, above=0, default="`kubeflow.cpu`")] = None
    memory_gb: Annotated[float | None, Key("Most memory of this step in GB.", "follow", high=65_536, above=0, default="`kubeflow.memory_gb`")] = None
    accelerator: Annotated[str, Key("Kubernetes' name of the resource that is an accelerator, such as `nvidia.com/gpu`.", "follow", form=Form.TEXT, default="none")] = ""
    accelerators: Annotated[int, Key("Number of accelerators.", "follow", 1, 64)] = 1


class Kubeflow(Section, frozen=True, kw_only=True):
    """What `goldlake compile` writes for Kubeflow Pipelines: images, places, resources.

    No secret belongs here. Containers get credentials from the cluster.
    """

    image: Annotated[str, Key("Container image of all steps. It holds goldlake with the stack that compiled the pipeline.", "follow", form=Form.IMAGE)]
    home: Annotated[str, Key("The home as containers see it: an absolute path that is mounted in all of them, or an fsspec URL. It holds the export, and gets the pushed model.", "follow", form=Form.PLACE)]
    pipeline_root: Annotated[str, Key("Folder for the artifacts of runs that name none, such as `gs://BUCKET/pipelines`. TensorFlow itself writes there.", "follow", form=Form.PLACE, default="that of the cluster")] = ""
    usecase: Annotated[str, Key("Folder of the use case inside the image: an absolute path. A use case that goldlake ships, or an installed package, is found by its name.", "follow", form=Form.PLACE, default="by name")] = ""
    parameters: Annotated[tuple[RunTime, ...], Key("Keys of `training` that each run may be given another value for.", "follow", form=Form.CHOICES, of="epochs, batch_rows, learning_rate, dropout, l2, seed", default="none")] = ()
    cpu: Annotated[float | None, Key("Most CPUs of a step.", "follow", high=1024, above=0, default="no limit")] = None
    memory_gb: Annotated[float | None, Key("Most memory of a step in GB.", "follow", high=65_536, above=0, default="no limit")] = None
    steps: Annotated[Mapping[str, KubeflowStep], Key("What single steps get, by name of the step.", "follow", form=Form.SECTIONS, default="all steps alike")] = {}

    def step(self, name: str) -> KubeflowStep:
        """What the container of a step gets: its own values, else those of all steps."""
        own = self.steps.get(name, KubeflowStep())
        return msgspec.structs.replace(
            own,
            image=own.image or self.image,
            cpu=own.cpu or self.cpu,
            memory_gb=own.memory_gb or self.memory_gb,
        )


class Model(Section, frozen=True, kw_only=True):
    """One model of a use case, served as ``usecase.name``."""

    name: Annotated[str, Key("Name of the model, which is also the name of its file.", "refuse", form=Form.NAME)]
    title: Annotated[str, Key("Heading for people.", "follow", form=Form.TEXT, default="the name")] = ""
    description: Annotated[str, Key("A paragraph that says what the model predicts and for whom.", "follow", form=Form.TEXT, default="none")] = ""
    table: Annotated[str, Key("Gold table that the model learns from. Its mode is `rows`.", "follow", form=Form.TABLE)] = "rows"
    label: Annotated[str, Key("Column to predict. Rows without a value in it are left out and counted.", "follow", form=Form.COLUMN)]
    head: Annotated[Head, Key("What kind of answer the model gives. The kind alone may be written in place of the mapping.", "follow", form=Form.SECTION, default="by the label: boolean binary, string multiclass, double regression; a long must state it", later=True)] = Head("binary")
    event_time: Annotated[str, Key("Timestamp or date column that splits the data. Static data have none.", "follow", form=Form.COLUMN, of="not nullable", default="none")] = ""
    maturity_days: Annotated[int, Key("Age in days that an event must have at the as-of instant before its label is trusted.", "follow", 0, _DAYS)] = 0
    split: Annotated[Split, Key("How rows are divided into train, eval and test.", "follow", form=Form.SECTION, default="kind hash without `event_time`, else required")] = Split("hash")
    features: Annotated[tuple[Feature, ...], Key("What the model reads, in model order.", "follow", form=Form.SECTIONS, least=1)]
    thresholds: Annotated[tuple[Threshold, ...], Key("Bounds that a candidate must meet to be blessed, by metric.", "follow", form=Form.SECTIONS, least=1)]
    training: Annotated[Training, Key("Parameters of the trainer.", "follow", form=Form.SECTION, default="every default")] = Training()
    decision: Annotated[Decision | None, Key("How the served model decides that a row is positive. The threshold is chosen on eval, after the probabilities are calibrated there, and stored in the model, which answers `is_positive`. The head is binary.", "follow", form=Form.SECTION, default="no decision", later=True)] = None
    slices: Annotated[tuple[tuple[str, ...], ...], Key("Columns by whose values the evaluation is repeated. The whole split is always evaluated. A slice that falls from the model that serves refuses a candidate.", "follow", form=Form.SLICES, default="none")] = ()
    limits: Annotated[tuple[DriftLimit, ...], Key("Limits of skew and drift.", "follow", form=Form.LIST, default="none")] = ()
    min_domain_mass: Annotated[float, Key("Least share of a column's values that must lie in its domain.", "follow", 0, 1)] = 1.0
    handoff: Annotated[Handoff, Key("TFX component that reads the export.", "follow")] = "snapshot_example_gen"
    examples: Annotated[tuple[Mapping[str, Any], ...], Key("Rows that `goldlake run` asks the served model about; without any it takes two rows of the gold table. A missing key travels as the column's `wire_null`.", "follow", form=Form.LIST, default="none")] = ()
    preprocessing: Annotated[str | None, Key("Function of the use case's folder that gets the dict of raw tensors and returns further numeric columns for the deep part.", "follow", form=Form.FUNCTION)] = None
    parts: Annotated[Parts, Key("Functions that take the place of goldlake's own.", "follow", form=Form.SECTION, default="none", later=True)] = Parts()
    serving: Annotated[Serving, Key("How the model is served.", "follow", form=Form.SECTION, default="every default")] = Serving()
    kubeflow: Annotated[Kubeflow | None, Key("Profile for `goldlake compile`, which writes the pipeline for Kubeflow Pipelines.", "follow", form=Form.SECTION, default="none", later=True)] = None

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Gold columns the model reads, each once: in the order of features, then the exposure."""
        exposure = (self.head.exposure,) if self.head.exposure else ()
        return tuple(dict.fromkeys([*(c for f in self.features for c in f.columns), *exposure]))

    def export_columns(self, table: GoldTable) -> tuple[Column, ...]:
        """The columns of the CSV hand-off: key, event time, label and features, in table order."""
        wanted = {*table.key, self.event_time, self.label, *self.feature_columns}
        return tuple(c for c in table.columns if c.name in wanted)


class Notify(Section, frozen=True):
    """Who hears of a run that failed or that a gate refused. It gets the run's row of the history."""

    command: Annotated[tuple[str, ...], Key("Program and its arguments. It is started without a shell, in the folder of the use case, and reads the run's document as JSON from standard input.", "follow", form=Form.WORDS, default="none")] = ()
    webhook: Annotated[Hidden | None, Key("Address that gets the run's document as JSON by POST, or the environment variable that holds the address. Redirects are not followed.", "follow", form=Form.WEBHOOK, default="none")] = None
    headers: Annotated[Mapping[str, Hidden], Key("Headers of that request. Secrets are named by environment variable and never written here.", "follow", form=Form.HEADERS, default="none")] = {}
    when: Annotated[tuple[NotifyStatus, ...], Key("Ends of a run to report: `refused` by a gate (exit code 3), `failed` (also a killed run, when the next command finds it) or `interrupted` by Ctrl-C or SIGTERM.", "follow", form=Form.CHOICES, of="refused, failed, interrupted", least=1)] = ("refused", "failed")
    timeout_s: Annotated[int, Key("Seconds that the command, or one attempt of the request, may take.", "follow", 1, 600)] = 10
    attempts: Annotated[int, Key("Number of times that the request is tried.", "follow", 1, 10)] = 3
    plain_http: Annotated[bool, Key("Whether an address without TLS may be one of another machine.", "follow")] = False


class AreaMap(Section, frozen=True):
    """Boundaries of the areas that a column of silver names, for maps."""

    file: Annotated[str, Key("GeoJSON file with a polygon or several per area, in longitude and latitude. A path counts from the folder of the use case.", "follow", form=Form.PATH)]
    column: Annotated[str, Key("Column of silver that names the area of a row.", "follow", form=Form.COLUMN, of="of silver")]
    property: Annotated[str, Key("Property of a feature whose value the column has.", "follow", form=Form.TEXT, default="the column's name")] = ""
    name: Annotated[str, Key("Property of a feature that names the area for people.", "follow", form=Form.TEXT, default="the value itself")] = ""


class UseCase(Section, frozen=True, kw_only=True):
    """A whole use case: its contract, its models and the folder that its functions live in."""

    name: Annotated[str, Key("Name of the use case, which is also the name of its folder.", "refuse", form=Form.NAME)]
    title: Annotated[str, Key("Heading for people.", "follow", form=Form.TEXT, default="the name")] = ""
    description: Annotated[str, Key("A paragraph about the data for the catalogue.", "follow", form=Form.TEXT, default="none")] = ""
    licence: Annotated[str, Key("Terms under which the data may be used.", "follow", form=Form.TEXT, default="not stated")] = ""
    folder: Path
    source: Annotated[Source, Key("Where records come from.", "follow", form=Form.SECTION)]
    silver: Annotated[Silver, Key("The typed, deduplicated table.", "rebuild", form=Form.SECTION)]
    gold: Annotated[Mapping[str, GoldTable], Key("Tables that are maintained from silver.", "rebuild", form=Form.SECTIONS, default="the table `rows`, which holds all columns of silver")] = {}
    models: Mapping[str, Model]
    hashes: Mapping[str, str]
    notify: Annotated[Notify | None, Key("Who hears of a run that failed or that a gate refused.", "follow", form=Form.SECTION, default="nobody")] = None
    map: Annotated[AreaMap | None, Key("Boundaries of areas, for the map of `goldlake report`.", "follow", form=Form.SECTION, default="no map", later=True)] = None
# fmt: on


def _column(columns: tuple[Column, ...], name: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    raise KeyError(name)
