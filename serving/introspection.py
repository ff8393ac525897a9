"""gRPC's health and reflection services, without packages that go with one protobuf release each.

Health answers ``Check``. A ``Watch`` would hold a thread for as long as a client likes, and the
protocol lets a server do without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool

from serving.messages import FilePool, file_pool, message_classes

_HEALTH = "grpc.health.v1"
_SERVING, _NOT_SERVING = 1, 2
_REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
_REFLECTION_MESSAGES = {
    "ExtensionRequest": ["string containing_type = 1", "int32 extension_number = 2"],
    "ServerReflectionRequest": [
        "string host = 1",
        "string file_by_filename = 3",
        "string file_containing_symbol = 4",
        "ExtensionRequest file_containing_extension = 5",
        "string all_extension_numbers_of_type = 6",
        "string list_services = 7",
    ],
    "FileDescriptorResponse": ["repeated bytes file_descriptor_proto = 1"],
    "ServiceResponse": ["string name = 1"],
    "ListServiceResponse": ["repeated ServiceResponse service = 1"],
    "ErrorResponse": ["int32 error_code = 1", "string error_message = 2"],
    "ServerReflectionResponse": [
        "string valid_host = 1",
        "ServerReflectionRequest original_request = 2",
        "FileDescriptorResponse file_descriptor_response = 4",
        "ListServiceResponse list_services_response = 6",
        "ErrorResponse error_response = 7",
    ],
}
# Each open stream holds a thread of the server.
_MOST_STREAMS = 4


def health_handler(is_ready: Callable[[], bool], services: Sequence[str]) -> Any:
    """Returns the handler of ``grpc.health.v1.Health``.

    Args:
        is_ready: Whether the server may get requests.
        services: Full names of the services that have a health.
    """
    pool = _health_pool()
    request = pool.message_class(f"{_HEALTH}.HealthCheckRequest")
    response = pool.message_class(f"{_HEALTH}.HealthCheckResponse")

    def check(asked: Any, context: Any) -> Any:
        if asked.service and asked.service not in services:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Unknown service {asked.service}")
        return response(status=_SERVING if is_ready() else _NOT_SERVING)

    method = grpc.unary_unary_rpc_method_handler(
        check, request.FromString, response.SerializeToString
    )
    return grpc.method_handlers_generic_handler(f"{_HEALTH}.Health", {"Check": method})


def reflection_handlers(services: Sequence[str], pool: Any) -> list[Any]:
    """Returns the handlers of server reflection, of both versions of its protocol.

    Args:
        services: Full names of the services to tell of; that of health joins them.
        pool: Descriptor pool with what the default one lacks.
    """
    pools = [descriptor_pool.Default(), _health_pool().pool, pool]
    return [
        _reflection_handler(package, pools, sorted({*services, f"{_HEALTH}.Health"}))
        for package in _REFLECTION
    ]


def _reflection_handler(package: str, pools: Sequence[Any], services: Sequence[str]) -> Any:
    classes = message_classes(package, _REFLECTION_MESSAGES)
    response = classes["ServerReflectionResponse"]
    streams = threading.BoundedSemaphore(_MOST_STREAMS)

    def answer(request: Any) -> Any:
        found = response(valid_host=request.host, original_request=request)
        [(field, value), *_] = [
            (field.name, value) for field, value in request.ListFields() if field.name != "host"
        ] or [("list_services", "")]
        if field == "list_services":
            for name in services:
                found.list_services_response.service.add(name=name)
            return found
        files = _files(pools, field, value)
        if files:
            found.file_descriptor_response.file_descriptor_proto.extend(files)
        else:
            found.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            found.error_response.error_message = f"{field}: nothing found for {value}"
        return found

    def stream(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        if not streams.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many reflection streams")
        try:
            yield from map(answer, requests)
        finally:
            streams.release()

    method = grpc.stream_stream_rpc_method_handler(
        stream, classes["ServerReflectionRequest"].FromString, response.SerializeToString
    )
    return grpc.method_handlers_generic_handler(
        f"{package}.ServerReflection", {"ServerReflectionInfo": method}
    )


def _files(pools: Sequence[Any], field: str, value: Any) -> list[bytes]:
    """The file that a request asks for and all that it depends on; [] for none."""
    for pool in pools:
        try:
            if field == "file_by_filename":
                waiting = [pool.FindFileByName(value)]
            elif field == "file_containing_symbol":
                waiting = [pool.FindFileContainingSymbol(value)]
            else:
                return []
        except KeyError:
            continue
        found: dict[str, bytes] = {}
        while waiting:
            file = waiting.pop()
            if file.name not in found:
                found[file.name] = file.serialized_pb
                waiting.extend(file.dependencies)
        return list(found.values())
    return []


def _health_pool() -> FilePool:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="grpc/health/v1/health.proto", package=_HEALTH, syntax="proto3"
    )
    request = file.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    response = file.message_type.add(name="HealthCheckResponse")
    status = response.enum_type.add(name="ServingStatus")
    names = (("UNKNOWN", 0), ("SERVING", _SERVING), ("NOT_SERVING", _NOT_SERVING))
    for name, number in (*names, ("SERVICE_UNKNOWN", 3)):
        status.value.add(name=name, number=number)
    response.field.add(
        name="status",
        number=1,
        type=kinds.TYPE_ENUM,
        type_name=f".{_HEALTH}.HealthCheckResponse.ServingStatus",
        label=kinds.LABEL_OPTIONAL,
    )
    file.service.add(name="Health").method.add(
        name="Check",
        input_type=f".{_HEALTH}.HealthCheckRequest",
        output_type=f".{_HEALTH}.HealthCheckResponse",
    )
    return file_pool(file)
