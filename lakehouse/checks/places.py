"""Where the keys of a use case are written: file and line for findings made after loading."""

from __future__ import annotations

from goldlake_core.contracts.findings import Finding, Remark
from goldlake_core.contracts.yaml_entry import Entry

Step = str | int


class Places:
    """The keys of one YAML file.

    Args:
        document: The file as it was read. A path of keys is asked for only where it holds.
    """

    def __init__(self, document: Entry) -> None:
        self._root = document

    def entry(self, *steps: Step) -> Entry:
        """The value at a path of keys and list positions, or the last of its parents there is."""
        entry = self._root
        for step in steps:
            if isinstance(step, str) and not entry.is_mapping:  # `X: long` is short for a mapping
                return entry
            below = entry.members().get(step) if isinstance(step, str) else entry.items()[step]
            if below is None:
                return entry
            entry = below
        return entry

    def finding(self, remark: Remark, *steps: Step) -> Finding:
        """A remark about the value at a path."""
        entry = self.entry(*steps)
        return Finding(
            remark.severity,
            entry.file,
            entry.line,
            entry.key or None,
            remark.problem,
            remark.valid,
            remark.hint,
        )
