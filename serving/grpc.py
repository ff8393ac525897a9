"""TF Serving's gRPC services on the embedded server, with the stubs that clients use.

Imports TensorFlow and gRPC: nothing imports this module before a gRPC port is asked for.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from goldlake_core.contracts.errors import UsageError
from serving import inference, loader
from serving.access import NEEDS_TOKEN, Access
from serving.dataplane import DataPlane, ModelSpec, UsedVersion, input_mismatch
from serving.errors import CODES, StatusError, invalid
from serving.exchange import REQUEST_ID, Exchange
from serving.introspection import health_handler, reflection_handlers
from serving.signatures import DEFAULT_SIGNATURE, NUMPY_TYPES, Signature, TensorSpec

tf = loader.tensorflow()

from google.protobuf import descriptor_pb2, descriptor_pool, text_format  # noqa: E402
from tensorflow.core.framework import tensor_pb2, types_pb2  # noqa: E402
from tensorflow.core.protobuf import meta_graph_pb2  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

log = logging.getLogger("serving")
_PACKAGE = "tensorflow.serving"
# Request and response by method, by service.
_METHODS: dict[str, dict[str, tuple[Any, Any]]] = {
    "ModelService": {
        "GetModelStatus": (
            get_model_status_pb2.GetModelStatusRequest,
            get_model_status_pb2.GetModelStatusResponse,
        ),
        "HandleReloadConfigRequest": (
            model_management_pb2.ReloadConfigRequest,
            model_management_pb2.ReloadConfigResponse,
        ),
    },
    "PredictionService": {
        "Classify": (
            classification_pb2.ClassificationRequest,
            classification_pb2.ClassificationResponse,
        ),
        "Regress": (regression_pb2.RegressionRequest, regression_pb2.RegressionResponse),
        "Predict": (predict_pb2.PredictRequest, predict_pb2.PredictResponse),
        "MultiInference": (
            inference_pb2.MultiInferenceRequest,
            inference_pb2.MultiInferenceResponse,
        ),
        "GetModelMetadata": (
            get_model_metadata_pb2.GetModelMetadataRequest,
            get_model_metadata_pb2.GetModelMetadataResponse,
        ),
    },
}
SERVICES = tuple(f"{_PACKAGE}.{name}" for name in _METHODS)
_CLASSIFY, _REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
_SIGNATURES = "signature_def"
# Of a message on the wire, as in TF Serving's grpc_status_util.cc.
_MOST_CHARACTERS = 1024
_MOST_CALLS = 1000
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_DTYPES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32")


@contextlib.contextmanager
def serving(
    plane: DataPlane,
    host: str,
    port: int,
    *,
    threads: int,
    max_message_bytes: int,
    grace_s: float,
    is_ready: Callable[[], bool],
    reload: Callable[[str], None],
    access: Access,
    is_shared: bool = False,
) -> Iterator[str]:
    """A gRPC server for as long as the block runs; calls that run at its end may finish.

    Args:
        plane: The models that are served.
        host: Address to listen at.
        port: TCP port; 0 takes a free one.
        threads: Calls computed at the same time.
        max_message_bytes: Most bytes that a request may have.
        grace_s: Seconds that calls have to end after the block.
        is_ready: Whether the server may get requests; this is its health.
        reload: Makes a ``models.config`` in text format the one that is followed.
        access: What a client has to bring.
        is_shared: Whether further processes listen at the same port.

    Yields:
        Host and port.

    Raises:
        UsageError: The port is taken.
    """
    executor = ThreadPoolExecutor(threads, "serving-grpc")
    server = grpc.server(
        executor,
        interceptors=[_Guard(access)],
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", -1),
            # Otherwise a second server could take the same port, and each would get some calls.
            ("grpc.so_reuseport", int(is_shared)),
        ],
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(plane, max_message_bytes), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(plane, reload), server)
    server.add_generic_rpc_handlers(
        (
            health_handler(is_ready, SERVICES),
            *reflection_handlers(SERVICES, _services_pool()),
        )
    )
    address = f"[{host}]" if ":" in host else host
    try:
        if access.context is None:
            bound = server.add_insecure_port(f"{address}:{port}")
        else:
            credentials = grpc.ssl_server_credentials([(access.key, access.certificate)])
            bound = server.add_secure_port(f"{address}:{port}", credentials)
    except RuntimeError:  # how gRPC says so in later releases
        bound = 0
    if not bound:
        executor.shutdown()
        raise UsageError(
            f"Cannot listen at {host}:{port} for gRPC",
            valid="a free port and an address of this machine; port 0 takes a free one",
            hint="goldlake serve --grpc-port 0",
        )
    server.start()
    try:
        yield f"{address}:{bound}"
    finally:
        server.stop(grace_s).wait()
        executor.shutdown()


class _Guard(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without a token, except for those to the health service."""

    def __init__(self, access: Access) -> None:
        self._access = access

        def refuse(request: Any, context: Any) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, NEEDS_TOKEN)

        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        given = dict(details.invocation_metadata).get("authorization", "")
        sent = given if isinstance(given, bytes) else given.encode()
        is_health = details.method.startswith("/grpc.health.")
        if is_health or self._access.is_open_to(sent):
            return continuation(details)
        return self._refusal


def _services_pool() -> Any:
    """A pool with the files of the services, for reflection.

    The package's modules of these files were generated for protobuf 3 and cannot be imported
    beside later releases. The modules of the messages can.
    """
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()
    for name, methods in _METHODS.items():
        path = f"tensorflow_serving/apis/{name.removesuffix('Service').lower()}_service.proto"
        file = descriptor_pb2.FileDescriptorProto(name=path, package=_PACKAGE, syntax="proto3")
        service = file.service.add(name=name)
        for method, (request, response) in methods.items():
            service.method.add(
                name=method,
                input_type=f".{request.DESCRIPTOR.full_name}",
                output_type=f".{response.DESCRIPTOR.full_name}",
            )
            file.dependency.append(request.DESCRIPTOR.file.name)
            _add_file(pool, request.DESCRIPTOR.file, added)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_file(pool: Any, descriptor: Any, added: set[str]) -> None:
    if descriptor.name in added:
        return
    added.add(descriptor.name)
    for dependency in descriptor.dependencies:
        _add_file(pool, dependency, added)
    pool.AddSerializedFile(descriptor.serialized_pb)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    def __init__(self, plane: DataPlane, max_values: int) -> None:
        self._plane = plane
        self._max_values = max_values

    def Predict(self, request: Any, context: Any) -> Any:
        return self._counted("Predict", request, context, self._predict)

    def Classify(self, request: Any, context: Any) -> Any:
        return self._counted("Classify", request, context, self._classify)

    def Regress(self, request: Any, context: Any) -> Any:
        return self._counted("Regress", request, context, self._regress)

    def MultiInference(self, request: Any, context: Any) -> Any:
        # TF Serving does not count these.
        started = time.perf_counter()
        spec = request.tasks[0].model_spec if request.tasks else None
        name = spec.name if spec is not None and self._plane.knows(spec.name) else ""
        exchange = self._begun(name, spec, context)

        def told(code: str) -> None:
            if exchange is not None:
                exchange.ended(code, time.perf_counter() - started, request.ByteSize())

        return _answered(context, lambda: self._multi_inference(request, exchange), told)

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        return _answered(context, lambda: self._metadata(request))

    def _counted(
        self,
        api: str,
        request: Any,
        context: Any,
        handle: Callable[[Any, Exchange | None], Any],
    ) -> Any:
        started = time.perf_counter()
        name = request.model_spec.name
        name = name if self._plane.knows(name) else ""
        exchange = self._begun(name, request.model_spec, context)

        def told(code: str) -> None:
            seconds = time.perf_counter() - started
            self._plane.metrics.answered(name, api, "GRPC", code, seconds)
            if exchange is not None:
                exchange.ended(code, seconds, request.ByteSize())

        return _answered(context, lambda: handle(request, exchange), told)

    def _begun(self, name: str, spec: Any, context: Any) -> Exchange | None:
        if self._plane.observer is None or not name:
            return None
        metadata = dict(context.invocation_metadata())
        label = spec.version_label or None
        exchange = self._plane.observer.begin(name, label, "GRPC", metadata.get)
        if exchange is not None:
            context.send_initial_metadata(((REQUEST_ID, exchange.request_id),))
        return exchange

    def _predict(self, request: Any, exchange: Exchange | None) -> Any:
        with self._plane.use(_spec(request, exchange)) as version:
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = version.find(name)
            if signature is None:
                raise StatusError(
                    "FAILED_PRECONDITION", f'Serving signature key "{name}" not found.'
                )
            wanted = _output_names(signature, list(request.output_filter))
            _refuse_other_inputs(signature, request.inputs)
            inputs = {
                alias: _array(alias, tensor, signature.inputs[alias], self._max_values)
                for alias, tensor in request.inputs.items()
            }
            outputs = version.predict(name, inputs)
            response = predict_pb2.PredictResponse()
            _fill_spec(response.model_spec, version, name)
        for alias in wanted:
            response.outputs[alias].CopyFrom(_tensor(outputs[alias]))
        return response

    def _classify(self, request: Any, exchange: Exchange | None) -> Any:
        with self._plane.use(_spec(request, exchange)) as version:
            name = request.model_spec.signature_name
            response = classification_pb2.ClassificationResponse()
            found = inference.classify(version, name, _examples(request.input))
            _fill_classes(response.result, found)
            _fill_spec(response.model_spec, version, name)
        return response

    def _regress(self, request: Any, exchange: Exchange | None) -> Any:
        with self._plane.use(_spec(request, exchange)) as version:
            name = request.model_spec.signature_name
            response = regression_pb2.RegressionResponse()
            found = inference.regress(version, name, _examples(request.input))
            _fill_values(response.result, found)
            _fill_spec(response.model_spec, version, name)
        return response

    def _multi_inference(self, request: Any, exchange: Exchange | None) -> Any:
        if not request.tasks:
            raise _without_name()
        response = inference_pb2.MultiInferenceResponse()
        with self._plane.use(_spec(request.tasks[0], exchange)) as version:
            _refuse_tasks(version, request.tasks)
            examples = _examples(request.input)
            for task in request.tasks:
                result = response.results.add()
                name = task.model_spec.signature_name
                if task.method_name == _CLASSIFY:
                    classes = inference.classify(version, name, examples)
                    _fill_classes(result.classification_result, classes)
                else:
                    values = inference.regress(version, name, examples)
                    _fill_values(result.regression_result, values)
                _fill_spec(result.model_spec, version, name)
        return response

    def _metadata(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise _without_spec()
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._plane.use(_spec(request)) as version:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in version.servable.signatures.items():
                signatures.signature_def[name].CopyFrom(_definition(signature))
            response.model_spec.name = version.name
            response.model_spec.version.value = version.number
        response.metadata[_SIGNATURES].Pack(signatures)
        return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    def __init__(self, plane: DataPlane, reload: Callable[[str], None]) -> None:
        self._plane = plane
        self._reload = reload

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        return _answered(context, lambda: self._status(request))

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        return _answered(context, lambda: self._reloaded(request))

    def _status(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise _without_spec()
        response = get_model_status_pb2.GetModelStatusResponse()
        states = get_model_status_pb2.ModelVersionStatus.State
        for found in self._plane.status(_spec(request, is_named=True)):
            added = response.model_version_status.add(
                version=found.version, state=states.Value(found.state.value)
            )
            added.status.error_code = CODES[found.code][0]
            added.status.error_message = found.text
        return response

    def _reloaded(self, request: Any) -> Any:
        if not request.config.HasField("model_config_list"):
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported"
            )
        self._reload(text_format.MessageToString(request.config))
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = CODES["OK"][0]
        return response


def _answered(
    context: Any, handle: Callable[[], Any], told: Callable[[str], None] = lambda code: None
) -> Any:
    """What a handler returns; its failure becomes the status of the call."""
    try:
        response = handle()
    except StatusError as error:
        failure = error
    except Exception as error:  # a fault of this server; the next call may well succeed
        log.exception("A gRPC call failed")
        failure = StatusError("INTERNAL", f"Internal error: {type(error).__name__}: {error}")
    else:
        told("OK")
        return response
    told(failure.code)
    text = failure.text
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}...TRUNCATED"
    context.abort(_STATUS_CODES[CODES[failure.code][0]], text)


def _spec(request: Any, exchange: Exchange | None = None, *, is_named: bool = False) -> ModelSpec:
    """The version that a request asks for.

    Args:
        request: A request or task with a ``model_spec``.
        exchange: What notes the request, or None.
        is_named: Whether an empty name is a name like any other, as it is for a status.
    """
    if not request.HasField("model_spec"):
        raise _without_spec()
    spec = request.model_spec
    if not spec.name and not is_named:
        raise _without_name()
    choice = spec.WhichOneof("version_choice")
    return ModelSpec(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
        exchange,
    )


def _without_spec() -> StatusError:
    return invalid("Missing ModelSpec")


def _without_name() -> StatusError:
    return invalid("ModelSpec has no name specified.")


def _fill_spec(spec: Any, version: UsedVersion, signature_name: str) -> None:
    spec.name = version.name
    spec.signature_name = signature_name or DEFAULT_SIGNATURE
    spec.version.value = version.number


def _output_names(signature: Signature, wanted: Sequence[str]) -> list[str]:
    for number, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in wanted[:number]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return list(wanted) or list(signature.outputs)


def _refuse_other_inputs(signature: Signature, inputs: Any) -> None:
    if len(inputs) != len(signature.inputs):
        raise input_mismatch(set(inputs), set(signature.inputs))
    for alias in inputs:
        if alias not in signature.inputs:
            raise invalid(
                f"input tensor alias not found in signature: {alias}. Inputs expected to be in "
                f"the set {{{','.join(sorted(signature.inputs))}}}."
            )


def _array(alias: str, tensor: Any, spec: TensorSpec, max_values: int) -> np.ndarray:
    # The size of a tensor may be far larger than its message, which gives one value for all.
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0 or math.prod(sizes) > max_values:
        raise invalid(f"tensor parsing error: {alias} has the shape {sizes}")
    try:
        array: np.ndarray = tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {alias}") from error
    dtype = _DTYPES.get(array.dtype, array.dtype.name)
    if dtype != spec.dtype:
        raise invalid(f"Expects {alias} to be {spec.dtype} but {dtype} is provided")
    return array


def _tensor(array: np.ndarray) -> Any:
    """An array in the typed fields, which is where clients of TF Serving look for it."""
    dtype = _DTYPES.get(array.dtype)
    if dtype is None:
        return tf.make_tensor_proto(array)
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(f"DT_{dtype.upper()}"))
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = np.ascontiguousarray(array).reshape(-1)
    if dtype in _INTEGERS:
        tensor.int_val.extend(flat.tolist())
    elif dtype == "half":
        tensor.half_val.extend(flat.view(np.uint16).tolist())
    elif dtype == "complex64":
        tensor.scomplex_val.extend(flat.view(np.float32).tolist())
    elif dtype == "complex128":
        tensor.dcomplex_val.extend(flat.view(np.float64).tolist())
    else:
        getattr(tensor, f"{dtype}_val").extend(flat.tolist())
    return tensor


def _examples(input_: Any) -> list[bytes]:
    kind = input_.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in input_.example_list.examples]
    if kind == "example_list_with_context":
        both = input_.example_list_with_context
        context = both.context.SerializeToString()
        return [context + example.SerializeToString() for example in both.examples]
    return []


def _refuse_tasks(version: UsedVersion, tasks: Sequence[Any]) -> None:
    names: set[str] = set()
    for task in tasks:
        if not task.model_spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != version.name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in names:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        names.add(name)
        signature = version.find(name)
        if signature is None:
            raise invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name == _CLASSIFY:
            inference.check_classification(signature)
        elif task.method_name == _REGRESS:
            inference.check_regression(signature)
        else:
            raise StatusError(
                "UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}"
            )


def _fill_classes(result: Any, found: inference.Classification) -> None:
    for labels, scores in zip(found.labels, found.scores, strict=True):
        classes = result.classifications.add()
        for label, score in zip(labels, scores.tolist(), strict=True):
            classes.classes.add(label=label.decode("utf-8", "replace"), score=score)


def _fill_values(result: Any, found: np.ndarray) -> None:
    for value in found.tolist():
        result.regressions.add(value=value)


def _definition(signature: Signature) -> Any:
    definition = meta_graph_pb2.SignatureDef(method_name=signature.method)
    sides = ((definition.inputs, signature.inputs), (definition.outputs, signature.outputs))
    for side, specs in sides:
        for name, spec in specs.items():
            info = side[name]
            info.name = spec.name
            info.dtype = types_pb2.DataType.Value(f"DT_{spec.dtype.upper()}")
            info.tensor_shape.unknown_rank = spec.shape is None
            for size in spec.shape or ():
                info.tensor_shape.dim.add(size=size)
    return definition
