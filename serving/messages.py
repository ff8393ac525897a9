"""Protobuf messages that are built from field names and numbers.

Generated modules would tie this code to one protobuf release or import TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FIELD = re.compile(r"(?P<is_repeated>repeated )?(?P<type>\w+) (?P<name>\w+) = (?P<number>\d+)")


def message_classes(package: str, messages: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
    """Returns the classes of some messages by name, in a separate descriptor pool.

    Args:
        package: Name of their package.
        messages: Fields by message, each as in a ``.proto`` file, such as ``int64 value = 1``. The
            type is a scalar's or a message's of the same package.
    """
    from google.protobuf import descriptor_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"goldlake/{package}.proto", package=package, syntax="proto3"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for text in fields:
            field = _FIELD.fullmatch(text)
            assert field is not None, text
            label = kinds.LABEL_REPEATED if field["is_repeated"] else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field["name"], number=int(field["number"]), label=label)
            if field["type"] in messages:
                added.type = kinds.TYPE_MESSAGE
                added.type_name = f".{package}.{field['type']}"
            else:
                added.type = kinds.Type.Value(f"TYPE_{field['type'].upper()}")
    made = file_pool(file)
    return {name: made.message_class(f"{package}.{name}") for name in messages}


@dataclass(frozen=True)
class FilePool:
    """A separate descriptor pool with one file.

    Attributes:
        pool: The pool, as protobuf has it.
    """

    pool: Any

    def message_class(self, name: str) -> Any:
        """Returns the class of a message.

        Args:
            name: Name of the message with its package.
        """
        from google.protobuf import message_factory

        descriptor = self.pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self.pool).GetPrototype(descriptor)


def file_pool(file: Any) -> FilePool:
    """Returns a pool with one file.

    Args:
        file: The file as a ``FileDescriptorProto`` message.
    """
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return FilePool(pool)
