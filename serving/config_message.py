"""The protobuf message of ``models.config``.

The message types are TF Serving's, built here from field names and numbers (see its
``config/model_server_config.proto``): generated modules would tie this to one protobuf release and
import TensorFlow.
"""

from __future__ import annotations

import functools
from typing import Any

_INT64, _UINT32, _STRING, _MESSAGE = 3, 13, 9, 11
_OPTIONAL, _REPEATED = 1, 3

# Message -> (field, number, type, label, message type).
_MESSAGES: dict[str, list[tuple[str, int, int, int, str]]] = {
    "Latest": [("num_versions", 1, _UINT32, _OPTIONAL, "")],
    "All": [],
    "Specific": [("versions", 1, _INT64, _REPEATED, "")],
    "Policy": [
        ("latest", 100, _MESSAGE, _OPTIONAL, "Latest"),
        ("all", 101, _MESSAGE, _OPTIONAL, "All"),
        ("specific", 102, _MESSAGE, _OPTIONAL, "Specific"),
    ],
    "ModelConfig": [
        ("name", 1, _STRING, _OPTIONAL, ""),
        ("base_path", 2, _STRING, _OPTIONAL, ""),
        ("model_platform", 4, _STRING, _OPTIONAL, ""),
        ("model_version_policy", 7, _MESSAGE, _OPTIONAL, "Policy"),
        ("version_labels", 8, _MESSAGE, _REPEATED, "ModelConfig.VersionLabelsEntry"),
    ],
    "ModelConfigList": [("config", 1, _MESSAGE, _REPEATED, "ModelConfig")],
    "ModelServerConfig": [("model_config_list", 1, _MESSAGE, _OPTIONAL, "ModelConfigList")],
}
_PACKAGE = "goldlake.serving"


@functools.cache
def models_config_class() -> Any:
    """Returns the class of ModelServerConfig messages, in a separate descriptor pool."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="goldlake/serving/models_config.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, label, target in fields:
            added = message.field.add(name=field_name, number=number, type=kind, label=label)
            if target:
                added.type_name = f".{_PACKAGE}.{target}"
        if name == "Policy":
            message.oneof_decl.add(name="policy_choice")
            for choice in message.field:
                choice.oneof_index = 0
        if name == "ModelConfig":
            entry = message.nested_type.add(name="VersionLabelsEntry")
            entry.field.add(name="key", number=1, type=_STRING, label=_OPTIONAL)
            entry.field.add(name="value", number=2, type=_INT64, label=_OPTIONAL)
            entry.options.map_entry = True
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.ModelServerConfig")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)
