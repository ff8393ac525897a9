"""Every way in which the rest of contract.yaml can be wrong, with the whole text of its error."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.addresses import Hidden
from goldlake_core.contracts.sections import Notify
from tests.goldlake_core.contracts.conftest import Copy

FILE = "contract.yaml"
# What is replaced, by what, a mark on the line at fault, and the error behind file and line.
CASES = {
    "unknown_key": (
        "  page_rows: 200",
        "  page_row: 200",
        "page_row: 200",
        "source.page_row: unknown key 'page_row'. Valid: page_rows (nearest); all: "
        "kind, address, path, format, rest, dataset, page_rows, time_field, generator, overlap, "
        "drift, most_deleted, options.",
    ),
    "unknown_top_key": (
        "licence: none, invented",
        "license: none",
        "license:",
        "license: unknown key 'license'. Valid: licence (nearest); all: name, title, "
        "description, licence, source, silver, gold, notify, map.",
    ),
    "map_of_no_column": (
        "licence: none, invented",
        "licence: none\nmap: {file: a.geojson, column: bert}",
        "map:",
        "map.column: there is no column 'bert'. Valid: berth (nearest); all: call_id, arrived, "
        "changed, booked_until, vessel_type, cargo, berth, length_m, crew, pilot, latitude, "
        "longitude, overdue.",
    ),
    "map_without_column": (
        "licence: none, invented",
        "licence: none\nmap: {file: a.geojson}",
        "map:",
        "map: the key 'column' is missing. Valid: required here: file, column.",
    ),
    "missing_key": (
        "  kind: socrata\n",
        "",
        "source:",
        "source: the key 'kind' is missing. Valid: required here: kind.",
    ),
    "no_value": (
        "  kind: socrata",
        "  kind:",
        "  kind:",
        "source.kind: the key has no value. Valid: a value for 'kind'.",
    ),
    "duplicate_key": (
        "  page_rows: 200",
        "  page_rows: 200\n  page_rows: 100",
        "page_rows: 100",
        "source.page_rows: the key 'page_rows' is given twice, first in line 14. "
        "Valid: each key once.",
    ),
    "name_not_the_folders": (
        "name: toy_harbour",
        "name: harbour",
        "name: harbour",
        "name: the use case is called 'harbour' and its folder 'toy_harbour'. Valid: "
        "the same name for both. Next: rename the folder to harbour or change this key",
    ),
    "bad_name": (
        "name: toy_harbour",
        "name: Toy-Harbour",
        "name: Toy",
        "name: 'Toy-Harbour' is not a name. Valid: a lower-case letter, then "
        "lower-case letters, digits or _ (at most 64).",
    ),
    "whole_number": (
        "  page_rows: 200",
        "  page_rows: 2e2",
        "page_rows",
        "source.page_rows: expected a whole number, got 2e2. Valid: digits, unquoted.",
    ),
    "octal": (
        "  page_rows: 200",
        "  page_rows: 0200",
        "page_rows",
        "source.page_rows: expected a whole number, got 0200. Valid: digits, unquoted.",
    ),
    "out_of_bounds": (
        "  page_rows: 200",
        "  page_rows: 0",
        "page_rows",
        "source.page_rows: 0 is out of bounds. Valid: 1 to 1000000.",
    ),
    "dataset_leads_out": (
        "  dataset: harb-cal1",
        "  dataset: ../other",
        "dataset",
        "source.dataset: '../other' cannot be part of a path. Valid: letters, digits, "
        "'.', '_' and '-', a letter or digit first.",
    ),
    "address_no_url": (
        "  address: http://127.0.0.1",
        "  address: ftp://x",
        "address",
        "source.address: 'ftp://x' is not a web address. Valid: http://… or https://….",
    ),
    "address_with_password": (
        "  address: http://127.0.0.1",
        "  address: http://me:secret@host",
        "address",
        "source.address: the address carries a user name or password. Valid: an "
        "address without them; secrets belong into the environment.",
    ),
    "generator_leads_out": (
        "  generator: generate.rows",
        "  generator: ../../evil.rows",
        "generator",
        "source.generator: '../../evil.rows' does not name a function of the use-case folder. "
        "Valid: module.function, such as tables.rows for the function rows in "
        "tables.py.",
    ),
    "generator_is_a_package": (
        "  generator: generate.rows",
        "  generator: os.path.join",
        "generator",
        "source.generator: 'os.path.join' does not name a function of the use-case folder. "
        "Valid: module.function, such as tables.rows for the function rows in "
        "tables.py.",
    ),
    "options_no_mapping": (
        "  generator: generate.rows",
        "  options: [1]",
        "options",
        "source.options: expected a mapping, got a list. Valid: lines with 'key: '.",
    ),
    "unknown_type": (
        "{type: long, nullable: false, range: [0, null], comment: Ships",
        "{type: integer, nullable: false, comment: Ships",
        "type: integer",
        "gold.berth_day.columns.calls.type: unknown value 'integer'. Valid: string, "
        "long, double, boolean, timestamp, date.",
    ),
    "key_column_missing": (
        "  key: [call_id]\n  version",
        "  key: [callid]\n  version",
        "key: [callid]",
        "silver.key[0]: there is no column 'callid'. Valid: call_id (nearest); all: "
        "call_id, arrived, changed, booked_until, vessel_type, cargo, berth, length_m, "
        "crew, pilot, latitude, longitude, overdue.",
    ),
    "key_twice": (
        "  key: [call_id]\n  version",
        "  key: [call_id, call_id]\n  version",
        "key: [call_id, call_id]",
        "silver.key[1]: the column 'call_id' is listed twice. Valid: each column once.",
    ),
    "key_empty": (
        "  key: [call_id]\n  version",
        "  key: []\n  version",
        "key: []",
        "silver.key: 0 columns are listed. Valid: at least 1 of: call_id, arrived, "
        "changed, booked_until, vessel_type, cargo, berth, length_m, crew, pilot, "
        "latitude, longitude, overdue.",
    ),
    "key_nullable": (
        "  key: [call_id]\n  version",
        "  key: [berth]\n  version",
        "key: [berth]",
        "silver.key: the column 'berth' is nullable. Valid: a column with nullable: "
        "false. Next: write nullable: false at silver.columns.berth",
    ),
    "version_missing": (
        "  version: changed",
        "  version: change",
        "version: change",
        "silver.version: there is no column 'change'. Valid: changed (nearest); all: "
        "call_id, arrived, changed, booked_until, vessel_type, cargo, berth, length_m, "
        "crew, pilot, latitude, longitude, overdue.",
    ),
    "version_type": (
        "  version: changed",
        "  version: cargo",
        "version: cargo",
        "silver.version: the column 'cargo' has type string. Valid: timestamp or date "
        "or long or double.",
    ),
    "event_time_type": (
        "  event_time: arrived",
        "  event_time: vessel_type",
        "event_time: vessel_type",
        "silver.event_time: the column 'vessel_type' has type string. Valid: timestamp or date.",
    ),
    "check_code_taken": (
        "    - code: changed_after_arrival",
        "    - code: crew_range",
        "code: crew_range",
        "silver.checks[1].code: the reason code 'crew_range' is in use already. Valid: "
        "a code that no other check has and no column's own rules make.",
    ),
    "check_code_twice": (
        "    - code: changed_after_arrival",
        "    - code: both_or_no_coordinates  # here",
        "# here",
        "silver.checks[1].code: the reason code 'both_or_no_coordinates' is in use "
        "already. Valid: a code that no other check has and no column's own rules make.",
    ),
    "check_no_column": (
        "      expect: changed >= arrived",
        "      expect: chnged >= arived",
        "expect: chnged",
        "silver.checks[1].expect: the rule names no silver column: chnged >= arived. "
        "Valid: call_id, arrived, changed, booked_until, vessel_type, cargo, berth, "
        "length_m, crew, pilot, latitude, longitude, overdue.",
    ),
    "check_two_statements": (
        "      expect: changed >= arrived",
        "      expect: changed >= arrived; drop table x",
        "drop table",
        "silver.checks[1].expect: the rule holds a ';' or an SQL comment. Valid: one "
        "Spark SQL expression.",
    ),
    "gold_mode": (
        "    mode: aggregate",
        "    mode: aggregated",
        "mode: aggregated",
        "gold.berth_day.mode: unknown value 'aggregated'. Valid: aggregate (nearest); "
        "all: rows, aggregate.",
    ),
    "gold_build": (
        "    build: tables.berth_day",
        "    build: berth_day",
        "build: berth_day",
        "gold.berth_day.build: 'berth_day' does not name a function of the use-case folder. "
        "Valid: module.function, such as tables.rows for the function rows in "
        "tables.py.",
    ),
    "gold_keep": (
        "    keep: [berth]",
        "    keep: [birth]",
        "keep: [birth]",
        "gold.berth_day.keep[0]: there is no column 'birth'. Valid: berth (nearest); "
        "all: call_id, arrived, changed, booked_until, vessel_type, cargo, berth, "
        "length_m, crew, pilot, latitude, longitude, overdue.",
    ),
    "gold_keep_and_column": (
        "    keep: [berth]\n    columns:",
        "    keep: [berth]\n    columns:\n      berth: {type: string, nullable: false, "
        "comment: Again.}",
        "comment: Again.",
        "gold.berth_day.columns.berth: the column 'berth' is declared here and kept "
        "from silver. Valid: another name, or a list keep without it.",
    ),
    "gold_rows_key": (
        "    key: [call_id]\n    comment",
        "    key: [vessel_type]\n    comment",
        "key: [vessel_type]",
        "gold.call_features.key: the key of a table of mode rows is silver's, got "
        "vessel_type. Valid: [call_id].",
    ),
    "gold_reach_of_cells": (
        "    key: [berth, day]",
        "    reach: [berth]\n    key: [berth, day]",
        "reach: [berth]",
        "gold.berth_day.reach: a table of mode aggregate looks at all rows by itself. "
        "Valid: reach with mode: rows.",
    ),
    "gold_reach_column": (
        "    key: [call_id]\n    comment",
        "    reach: [birth]\n    key: [call_id]\n    comment",
        "reach: [birth]",
        "gold.call_features.reach[0]: there is no column 'birth'. Valid: berth (nearest); "
        "all: call_id, arrived, changed, booked_until, vessel_type, cargo, berth, "
        "length_m, crew, pilot, latitude, longitude, overdue.",
    ),
    "gold_reach_order": (
        "    key: [call_id]\n    comment",
        "    reach_order: cargo\n    key: [call_id]\n    comment",
        "reach_order: cargo",
        "gold.call_features.reach_order: the column 'cargo' has type string. Valid: "
        "timestamp or date.",
    ),
    "gold_reach_without_order": (
        "    key: [call_id]\n    comment",
        "    reach_before: 7d\n    key: [call_id]\n    comment",
        "reach_before: 7d",
        "gold.call_features.reach_before: reach_before has no column to count along. Valid: "
        "reach_order: a timestamp or date column of silver. Next: write reach_order: …",
    ),
    "silver_most_rejected": (
        "  event_time: arrived",
        "  event_time: arrived\n  most_rejected: 5",
        "most_rejected: 5",
        "silver.most_rejected: 5.0 is out of bounds. Valid: 0 to 1.",
    ),
    "gold_key_nullable": (
        "      day: {type: date, nullable: false,",
        "      day: {type: date,",
        "      day: {",
        "gold.berth_day.columns.day: a key column is nullable. Valid: nullable: false. "
        "Next: write nullable: false",
    ),
    "gold_column_field": (
        "      day: {type: date, nullable: false,",
        "      day: {type: date, nullable: false, field: arrived,",
        "      day: {",
        "gold.berth_day.columns.day.field: unknown key 'field'. Valid: type, comment, "
        "nullable, domain, range, pattern, wire_null, unit, gate, expr, known.",
    ),
    "gold_no_mapping": (
        "  berth_day:\n",
        "  spare: []\n  berth_day:\n",
        "spare:",
        "gold.spare: expected a mapping, got a list. Valid: lines with 'key: '.",
    ),
    "gold_name": (
        "  berth_day:\n",
        "  berth-day:\n",
        "  berth-day:",
        "gold.berth-day: 'berth-day' is not a name. Valid: a lower-case letter, then "
        "lower-case letters, digits or _ (at most 64).",
    ),
    "notify_nobody": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {timeout_s: 5}",
        "notify:",
        "notify: nobody is named. Valid: command or webhook, or both.",
    ),
    "notify_command": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {command: []}",
        "notify:",
        "notify.command: there is no program. Valid: [PROGRAM, ARGUMENT, …].",
    ),
    "notify_secret": (
        "licence: none, invented",
        "licence: none, invented\nnotify:\n  webhook: https://example.org\n"
        "  headers: {Authorization: Bearer abc}",
        "  headers:",
        "notify.headers.Authorization: the contract holds a secret. Valid: {env: NAME}, the "
        "variable that holds it.",
    ),
    "notify_plain": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {webhook: http://example.org/hook}",
        "notify:",
        "notify.webhook: the address is one of another machine without TLS. Valid: https://…. "
        "Next: write plain_http: true where everybody on the way may read it",
    ),
    "notify_password": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {webhook: https://a:b@example.org/hook}",
        "notify:",
        "notify.webhook: the address carries a user name or password. Valid: an address without "
        "them; secrets belong into the environment.",
    ),
    "notify_variable": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {webhook: {env: a b}}",
        "notify:",
        "notify.webhook.env: 'a b' is not the name of an environment variable. Valid: letters, "
        "digits and _.",
    ),
    "notify_no_variable": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {webhook: {url: x}}",
        "notify:",
        "notify.webhook: expected a text, or {env: NAME} for the value of an environment "
        "variable, got a mapping. Valid: a text, or {env: NAME} for the value of an environment "
        "variable.",
    ),
    "notify_header": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {webhook: {env: A}, headers: {a b: c}}",
        "notify:",
        "notify.headers.a b: 'a b' is not the name of a header. Valid: such as Authorization.",
    ),
    "notify_headers_for_nobody": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {command: [x], headers: {A: c}}",
        "notify:",
        "notify.headers: there is no webhook that gets headers. Valid: webhook.",
    ),
    "notify_when": (
        "licence: none, invented",
        "licence: none, invented\nnotify: {command: [x], when: [fail]}",
        "notify:",
        "notify.when[0]: unknown value 'fail'. Valid: failed (nearest); all: refused, failed, "
        "interrupted.",
    ),
    "comment_empty": (
        "    comment: Calls by berth and day of arrival; ships at anchor are in none.",
        "    comment: ''",
        "comment: ''",
        "gold.berth_day.comment: the text is empty. Valid: at least one character.",
    ),
    "control_character": (
        "licence: none, invented",
        'licence: "a\\u0007b"',
        "licence",
        "licence: the text holds the control character U+0007. Valid: printable text.",
    ),
    "alias": (
        "licence: none, invented",
        "licence: *none",
        "licence",
        "contracts have no YAML anchors, aliases or tags, and here is an anchor or "
        "alias. Valid: the value itself, in quotes if it starts with & * or !.",
    ),
    "broken_yaml": (
        "licence: none, invented",
        "licence: [none",
        "source:",
        "this is not YAML: expected ',' or ']', but got ':'.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_contract_is_refused(toy: Copy, case: str) -> None:
    old, new, mark, expected = CASES[case]
    toy.edit(FILE, old, new)
    error = toy.error()
    assert error.file == str(toy.folder / FILE)
    assert error.line == toy.line_of(FILE, mark)
    assert str(error) == f"{error.file}:{error.line}: {expected}"


def test_who_is_notified_is_read(toy: Copy) -> None:
    text = (
        "licence: none, invented\nnotify:\n  command: [tell, -v, -v]\n  webhook: {env: HOOK}\n"
        "  headers: {Authorization: {env: TOKEN}, X-From: lake}\n  when: [failed, interrupted]"
    )
    before = toy.load()
    assert before.notify is None
    toy.edit(FILE, "licence: none, invented", text)
    after = toy.load()
    assert after.notify == Notify(
        command=("tell", "-v", "-v"),
        webhook=Hidden(env="HOOK"),
        headers={"Authorization": Hidden(env="TOKEN"), "X-From": Hidden(text="lake")},
        when=("failed", "interrupted"),
    )
    assert (after.notify.timeout_s, after.notify.attempts) == (10, 3)
    assert after.hashes == before.hashes, "whom it tells is not part of what it makes"
