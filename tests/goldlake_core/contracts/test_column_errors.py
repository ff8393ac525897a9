"""Every way in which a column can be wrong, with the whole text of its error."""

from __future__ import annotations

import pytest

from tests.goldlake_core.contracts.conftest import Copy

FILE = "contract.yaml"
# What is replaced, by what, a mark on the line at fault, and the error behind file and line.
CASES = {
    "no_mapping": (
        "      replace: {TANK SHIP: TANKER}",
        "      replace: [TANK SHIP]",
        "replace:",
        "silver.columns.vessel_type.replace: expected a mapping, got a list. Valid: "
        "lines with 'key: '.",
    ),
    "unquoted_no": (
        "      comment: Kind of ship.",
        "      null_values: [no]\n      comment: Kind of ship.",
        "null_values: [no]",
        "silver.columns.vessel_type.null_values[0]: expected text, got no, which YAML "
        'may read as something else. Valid: the same in quotes: "no".',
    ),
    "unquoted_code": (
        "      comment: Kind of ship.",
        "      null_values: [0890]\n      comment: Kind of ship.",
        "null_values: [0890]",
        "silver.columns.vessel_type.null_values[0]: expected text, got 0890, which "
        'YAML may read as something else. Valid: the same in quotes: "0890".',
    ),
    "yes_is_no_boolean": (
        "type: string, nullable: false, pattern",
        "type: string, nullable: yes, pattern",
        "call_id: {",
        "silver.columns.call_id.nullable: expected true or false, got yes. Valid: true, false.",
    ),
    "unknown_column_type_near": (
        "      type: boolean\n      nullable: false\n      comment: Whether the stay",
        "      type: bool  # here\n      nullable: false\n      comment: Whether the stay",
        "# here",
        "silver.columns.overdue.type: unknown value 'bool'. Valid: boolean (nearest); "
        "all: string, long, double, boolean, timestamp, date.",
    ),
    "column_name": (
        "    crew:\n",
        "    Crew:\n",
        "    Crew:",
        "silver.columns.Crew: 'Crew' is not a name. Valid: a lower-case letter, then "
        "lower-case letters, digits or _ (at most 64).",
    ),
    "format_missing": (
        "      format: yyyy-MM-dd'T'HH:mm:ss.SSS\n      time_zone: Europe/Copenhagen\n   "
        "   nullable: false\n      comment: When the ship",
        "      nullable: false\n      comment: When the ship",
        "    arrived:",
        "silver.columns.arrived: a timestamp of the source needs its format. Valid: a "
        "Spark datetime pattern, such as yyyy-MM-dd'T'HH:mm:ss.SSS, iso or epoch_s. "
        "Next: write format: …",
    ),
    "zone_missing": (
        "      time_zone: Europe/Copenhagen\n",
        "",
        "    arrived:",
        "silver.columns.arrived: the format has no offset, so the clock of the source "
        "is unknown. Valid: time_zone: an IANA zone, such as UTC or Europe/London. "
        "Next: write time_zone: …",
    ),
    "zone_unknown": (
        "      time_zone: Europe/Copenhagen",
        "      time_zone: Europe/Kopenhagen",
        "Kopenhagen",
        "silver.columns.arrived.time_zone: unknown time zone 'Europe/Kopenhagen'. "
        "Valid: Europe/Copenhagen (nearest).",
    ),
    "format_of_string": (
        "      pad: 2",
        "      format: yyyy  # here",
        "# here",
        "silver.columns.berth.format: format does not go with type string. Valid: "
        "format with type timestamp or date.",
    ),
    "pad_of_long": (
        "      range: [0, 5000]",
        "      pad: 3",
        "pad: 3",
        "silver.columns.crew.pad: pad does not go with type long. Valid: pad with type string.",
    ),
    "domain_of_long": (
        "      range: [0, 5000]",
        "      domain: ['1']",
        "domain: ['1']",
        "silver.columns.crew.domain: domain does not go with type long. Valid: domain "
        "with type string.",
    ),
    "domain_empty": (
        "      domain: [CARGO, FERRY, FISHING, TANKER]",
        "      domain: []",
        "domain: []",
        "silver.columns.vessel_type.domain: the list is empty. Valid: at least one text.",
    ),
    "domain_twice": (
        "      domain: [CARGO, FERRY, FISHING, TANKER]",
        "      domain: [CARGO, CARGO]",
        "domain: [CARGO, CARGO]",
        "silver.columns.vessel_type.domain[1]: 'CARGO' is listed twice. Valid: each text once.",
    ),
    "range_of_string": (
        "      pad: 2",
        "      range: [1, 2]",
        "range: [1, 2]",
        "silver.columns.berth.range: range does not go with type string. Valid: range "
        "with type long or double.",
    ),
    "range_ends": (
        "      range: [0, 5000]",
        "      range: [0]",
        "range: [0]",
        "silver.columns.crew.range: the range has 1 ends. Valid: [lowest, highest].",
    ),
    "range_upside_down": (
        "      range: [0, 5000]",
        "      range: [5, 1]",
        "range: [5, 1]",
        "silver.columns.crew.range: the range is upside down: 5 > 1. Valid: [lowest, highest].",
    ),
    "range_no_end": (
        "      range: [0, 5000]",
        "      range: [null, null]",
        "range: [null, null]",
        "silver.columns.crew.range: the range has no end. Valid: a number at one end at least.",
    ),
    "range_long_fraction": (
        "      range: [0, 5000]",
        "      range: [0.5, 1]",
        "range: [0.5, 1]",
        "silver.columns.crew.range[0]: expected a whole number, got 0.5. Valid: digits, unquoted.",
    ),
    "range_double_text": (
        "      range: [54, 58]",
        "      range: [a, 58]",
        "range: [a, 58]",
        "silver.columns.latitude.range[0]: expected a number, got a. Valid: a decimal, unquoted.",
    ),
    "range_infinite": (
        "      range: [54, 58]",
        "      range: [54, 1e999]",
        "range: [54, 1e999]",
        "silver.columns.latitude.range[1]: 1e999 is too large for a double. Valid: a "
        "finite number.",
    ),
    "pattern_broken": (
        '      pattern: "[0-9]{2}"',
        '      pattern: "([0-9]{2}"',
        'pattern: "([',
        "silver.columns.berth.pattern: '([0-9]{2}' is not a regular expression. Valid: "
        "a Java regular expression.",
    ),
    "replace_not_in_domain": (
        "      replace: {TANK SHIP: TANKER}",
        "      replace: {TANK SHIP: TANKERS}",
        "replace:",
        "silver.columns.vessel_type.replace.TANK SHIP: 'TANK SHIP' becomes 'TANKERS', "
        "which is not in the domain. Valid: CARGO, FERRY, FISHING, TANKER.",
    ),
    "replace_of_domain": (
        "      replace: {TANK SHIP: TANKER}",
        "      replace: {CARGO: TANKER}",
        "replace:",
        "silver.columns.vessel_type.replace.CARGO: 'CARGO' is replaced and is in the "
        "domain. Valid: one of the two.",
    ),
    "replace_chain": (
        "      replace: {TANK SHIP: TANKER}",
        "      replace: {A: B, B: TANKER}",
        "replace:",
        "silver.columns.vessel_type.replace.A: 'A' becomes 'B', which is itself "
        "replaced. Valid: the final spelling at once.",
    ),
    "wire_null_shape": (
        'wire_null: {text: "(none)"}',
        "wire_null: none",
        "wire_null: none",
        "silver.columns.berth.wire_null: expected how a null travels, got none. Valid: "
        'nan, {text: "…"} or {flag: has_x}, which is true when the value is present.',
    ),
    "wire_null_unknown": (
        'wire_null: {text: "(none)"}',
        "wire_null: {texts: x}",
        "wire_null: {texts",
        "silver.columns.berth.wire_null: expected how a null travels, got texts. "
        'Valid: nan, {text: "…"} or {flag: has_x}, which is true when the value is present.',
    ),
    "wire_null_nan_of_long": (
        "      wire_null: {flag: has_crew}",
        "      wire_null: nan  # here",
        "# here",
        "silver.columns.crew.wire_null: wire_null: nan does not go with type long. "
        "Valid: wire_null: nan with type double.",
    ),
    "wire_null_text_of_long": (
        "      wire_null: {flag: has_crew}",
        "      wire_null: {text: x}",
        "wire_null: {text: x}",
        "silver.columns.crew.wire_null: wire_null: {text} does not go with type long. "
        "Valid: wire_null: {text} with type string.",
    ),
    "wire_null_text_empty": (
        'wire_null: {text: "(none)"}',
        "wire_null: {text: ''}",
        "wire_null: {text: ''}",
        "silver.columns.berth.wire_null.text: the reserved text is empty, and an empty "
        'text is not a missing one. Valid: a text that no value has, such as "(none)".',
    ),
    "wire_null_text_is_value": (
        'wire_null: {text: "(none)"}',
        "wire_null: {text: '00'}",
        "wire_null: {text: '00'}",
        "silver.columns.berth.wire_null.text: the reserved text '00' can be a value of "
        'the column. Valid: a text that no value has, such as "(none)".',
    ),
    "wire_null_not_nullable": (
        "    cargo: {type: string, nullable: false,",
        "    cargo: {type: string, nullable: false, wire_null: {text: x},",
        "    cargo: {",
        "silver.columns.cargo.wire_null: the column is not nullable, so no null "
        "travels. Valid: no wire_null.",
    ),
    "flag_taken_by_column": (
        "      wire_null: {flag: has_crew}",
        "      wire_null: {flag: berth}",
        "    crew:",
        "silver.columns.crew: the presence flag 'berth' of 'crew' is taken by 'berth'. "
        "Valid: a name that no column and no other flag has.",
    ),
    "flag_taken_by_flag": (
        "wire_null: {flag: knows_pilot}",
        "wire_null: {flag: has_crew}",
        "    pilot:",
        "silver.columns.pilot: the presence flag 'has_crew' of 'pilot' is taken by "
        "'crew'. Valid: a name that no column and no other flag has.",
    ),
    "flag_name": (
        "      wire_null: {flag: has_crew}",
        "      wire_null: {flag: hasCrew}",
        "hasCrew",
        "silver.columns.crew.wire_null.flag: 'hasCrew' is not a name. Valid: a "
        "lower-case letter, then lower-case letters, digits or _ (at most 64).",
    ),
    "field_empty_part": (
        "      pad: 2",
        "      field: a..b",
        "field: a..b",
        "silver.columns.berth.field: 'a..b' is not a field name. Valid: names with dots "
        "between them, such as place.city.",
    ),
    "field_inside_field": (
        "      pad: 2",
        "      field: cargo.berth",
        "    berth:",
        "silver.columns.berth: the field 'cargo.berth' lies inside the field 'cargo', "
        "which the column 'cargo' reads as a value. Valid: one of the two.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_column_is_refused(toy: Copy, case: str) -> None:
    old, new, mark, expected = CASES[case]
    toy.edit(FILE, old, new)
    error = toy.error()
    assert error.file == str(toy.folder / FILE)
    assert error.line == toy.line_of(FILE, mark)
    assert str(error) == f"{error.file}:{error.line}: {expected}"
