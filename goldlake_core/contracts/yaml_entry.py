"""YAML with places: every value knows its file, line and dotted key.

Contracts use the part of YAML on which 1.1 and 1.2 agree. A plain scalar that some reader would
take for another type (``no``, ``0890``, ``1:30``, ``2016-01-01`` where text is expected) is refused
with the request to quote it, so that a file means the same to every tool. Anchors, aliases, merge
keys, tags and duplicate keys are refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.names import MAX_NAME, is_name, nearest

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
_STR = "tag:yaml.org,2002:str"
_MAP = "tag:yaml.org,2002:map"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NUMBER_SOMEWHERE = re.compile(
    r"[-+]?\.?[0-9][0-9_.]*([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*(:[0-9.]+)+"
)


@dataclass(frozen=True)
class Entry:
    """One value of a contract file.

    Attributes:
        node: The composed YAML node.
        file: The file as the user named it.
        line: 1-based line, of the key where the value has one.
        key: Dotted key, such as ``silver.columns.latitude.range``; "" for the whole document.
    """

    node: yaml.Node
    file: str
    line: int
    key: str

    def error(
        self, problem: str, *, valid: str | None = None, hint: str | None = None
    ) -> ContractError:
        """A ContractError about this value, to be raised by the caller."""
        return ContractError(
            problem, file=self.file, line=self.line, key=self.key or None, valid=valid, hint=hint
        )

    @property
    def is_null(self) -> bool:
        """Whether the value is YAML's null (``null``, ``~`` or nothing at all)."""
        return self.node.tag == _NULL

    @property
    def is_text(self) -> bool:
        """Whether the value is a scalar that every YAML reader takes for text."""
        node = self.node
        if not isinstance(node, yaml.ScalarNode) or node.tag != _STR:
            return False
        return bool(node.style) or not _NUMBER_SOMEWHERE.fullmatch(node.value)

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    def short_for(self, key: str) -> Entry:
        """The mapping ``{KEY: VALUE}`` that a lone value is short for; any other value as it is."""
        if not isinstance(self.node, yaml.ScalarNode) or self.is_null:
            return self
        name = yaml.ScalarNode(_STR, key, self.node.start_mark, self.node.end_mark)
        pair = [(name, self.node)]
        node = yaml.MappingNode(_MAP, pair, self.node.start_mark, self.node.end_mark)
        return Entry(node, self.file, self.line, self.key)

    def text(self) -> str:
        """A text without leading and trailing blanks; line breaks become single blanks."""
        text = " ".join(self.exact_text().split())
        if not text:
            raise self.error("the text is empty", valid="at least one character")
        return text

    def exact_text(self) -> str:
        """A text exactly as written, possibly empty."""
        if not self.is_text:
            if isinstance(self.node, yaml.ScalarNode) and self.node.value:
                raise self.error(
                    f"expected text, got {self.node.value}, which YAML may read as something else",
                    valid=f'the same in quotes: "{self.node.value}"',
                )
            raise self.error(f"expected text, got {self.shape}", valid="text")
        text = str(self.node.value)
        for character in text:
            if character not in "\t\n" and unicodedata.category(character) in ("Cc", "Cs"):
                raise self.error(
                    f"the text holds the control character U+{ord(character):04X}",
                    valid="printable text",
                )
        return text

    def name(self) -> str:
        """A name: lower-case letters, digits and underscores, a letter first."""
        text = self.exact_text()
        if not is_name(text):
            raise self.error(
                f"{text!r} is not a name",
                valid=f"a lower-case letter, then lower-case letters, digits or _ "
                f"(at most {MAX_NAME})",
            )
        return text

    def choice(self, *options: str) -> str:
        """One of ``options``."""
        text = self.exact_text()
        if text not in options:
            raise self.error(f"unknown value {text!r}", valid=nearest(text, options))
        return text

    def boolean(self) -> bool:
        """``true`` or ``false``; YAML 1.1's ``yes`` and ``on`` are refused."""
        node = self.node
        if node.tag != _BOOL or node.value not in ("true", "false"):
            raise self.error(f"expected true or false, got {self.shape}", valid="true, false")
        return bool(node.value == "true")

    def integer(self) -> int:
        """A plain decimal integer."""
        node = self.node
        if not self._is_plain or len(node.value) > 20 or not _INTEGER.fullmatch(node.value):
            raise self.error(f"expected a whole number, got {self.shape}", valid="digits, unquoted")
        return int(node.value)

    def number(self) -> float:
        """A finite decimal number; ``1e-5`` is one."""
        node = self.node
        if not self._is_plain or not _looks_like_number(node.value):
            raise self.error(f"expected a number, got {self.shape}", valid="a decimal, unquoted")
        value = float(node.value)
        if not math.isfinite(value):
            raise self.error(f"{node.value} is too large for a double", valid="a finite number")
        return value

    def day(self) -> date:
        """A calendar day, ``YYYY-MM-DD``."""
        text = self.node.value if isinstance(self.node, yaml.ScalarNode) else ""
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise self.error(f"expected a day, got {self.shape}", valid="YYYY-MM-DD")

    def items(self) -> tuple[Entry, ...]:
        """The members of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"expected a list, got {self.shape}", valid="[…] or lines with '- '")
        return tuple(
            Entry(node, self.file, node.start_mark.line + 1, f"{self.key}[{index}]")
            for index, node in enumerate(self.node.value)
        )

    def members(self) -> dict[str, Entry]:
        """The members of a mapping by key; refuses duplicate keys and keys that are not text."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"expected a mapping, got {self.shape}", valid="lines with 'key: '")
        found: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            line = key_node.start_mark.line + 1
            key = Entry(key_node, self.file, line, self.key).exact_text()
            entry = Entry(value_node, self.file, line, f"{self.key}.{key}" if self.key else key)
            if key in found:
                raise entry.error(
                    f"the key {key!r} is given twice, first in line {found[key].line}",
                    valid="each key once",
                )
            found[key] = entry
        return found

    def free(self) -> Any:
        """The value as plain Python: None, bool, int, float, str, list or dict."""
        node = self.node
        if isinstance(node, yaml.MappingNode):
            return {key: entry.free() for key, entry in self.members().items()}
        if isinstance(node, yaml.SequenceNode):
            return [entry.free() for entry in self.items()]
        if self.is_null:
            return None
        if node.tag == _BOOL and node.value in ("true", "false"):
            return self.boolean()
        if self._is_plain and _INTEGER.fullmatch(node.value):
            return self.integer()
        if self._is_plain and _looks_like_number(node.value):
            return self.number()
        return self.exact_text()

    @property
    def shape(self) -> str:
        """What the value is, in words for an error."""
        node = self.node
        if isinstance(node, yaml.MappingNode):
            return "a mapping"
        if isinstance(node, yaml.SequenceNode):
            return "a list"
        if self.is_null:
            return "nothing"
        return f"the text {node.value!r}" if not self._is_plain else str(node.value)

    @property
    def _is_plain(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and not self.node.style


def read(path: Path, file: str) -> Entry:
    """The document in a YAML file. Read-only.

    Args:
        path: Path of the file.
        file: Its name for error messages.

    Raises:
        ContractError: It is missing, larger than `MAX_BYTES`, not UTF-8, not YAML or uses a part of
            YAML that contracts do not have.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ContractError(
            f"the file cannot be read ({error.strerror})",
            file=file,
            hint="check the path of the use case",
        ) from error
    if len(data) > MAX_BYTES:
        raise ContractError(
            f"the file is larger than {MAX_BYTES} bytes", file=file, valid="a smaller contract"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContractError(
            f"byte 0x{data[error.start]:02x} is not UTF-8", file=file, line=line, valid="UTF-8 text"
        ) from error
    return parse(text, file)


def parse(text: str, file: str) -> Entry:
    """The document in a YAML text; see `read`."""
    try:
        node = _composed(text, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ContractError(
            f"this is not YAML: {error.problem or error.context}",
            file=file,
            line=mark.line + 1 if mark else None,
        ) from error
    except yaml.YAMLError as error:
        raise ContractError(f"this is not YAML: {str(error).splitlines()[0]}", file=file) from error
    if node is None:
        raise ContractError("the file is empty", file=file, valid="a mapping of keys")
    return Entry(node, file, node.start_mark.line + 1, "")


def _composed(text: str, file: str) -> yaml.Node | None:
    """The root node: by libyaml, where it reads the text, else by the loader that says why not."""
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_tokens(text, file, fast)
        return yaml.compose(text, Loader=fast)
    except yaml.YAMLError:
        _check_tokens(text, file, yaml.SafeLoader)
        return yaml.compose(text, Loader=yaml.SafeLoader)


_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def _check_tokens(text: str, file: str, loader: Any) -> None:
    depth = 0
    for token in yaml.scan(text, Loader=loader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > MAX_DEPTH:
            raise ContractError(
                "the YAML is nested too deeply",
                file=file,
                line=token.start_mark.line + 1,
                valid=f"at most {MAX_DEPTH} levels",
            )
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            what = "a tag" if isinstance(token, yaml.TagToken) else "an anchor or alias"
            raise ContractError(
                f"contracts have no YAML anchors, aliases or tags, and here is {what}",
                file=file,
                line=token.start_mark.line + 1,
                valid="the value itself, in quotes if it starts with & * or !",
            )


def _looks_like_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
