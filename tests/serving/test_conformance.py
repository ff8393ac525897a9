"""The models of `goldlake conformance` in a server process, by REST and by TF Serving's stubs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from goldlake.workflows import conformance
from goldlake_core.contracts.errors import UsageError
from serving import config
from serving.conformance_cases import cases

pytestmark = pytest.mark.tfx


class Running:
    """A server process and how to reach it."""

    def __init__(self, ready: dict[str, Any], models_config: Path) -> None:
        import grpc
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        from serving import grpc as front

        assert front.SERVICES
        self.url = ready["url"]
        self.models_config = models_config
        self.channel = grpc.insecure_channel(ready["grpc"])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def post(self, model: str, verb: str, document: Any) -> Any:
        answer = requests.post(f"{self.url}/v1/models/{model}:{verb}", json=document, timeout=30)
        return answer.json()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from tfx_pipeline import conformance_models

    folder = tmp_path_factory.mktemp("conformance")
    conformance_models.write(folder / "models")
    models_config = folder / "models" / "models.config"
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    command = [sys.executable, "-m", "serving", "--model-config-file", str(models_config)]
    command += ["--rest-port", "0", "--grpc-port", "0", "--cors"]
    command += ["--model-config-file-poll-wait-seconds", "0.1"]
    process = subprocess.Popen(
        [*command, "--monitoring-config-file", str(monitoring)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        running = Running(json.loads(process.stdout.readline()), models_config)
        yield running
        running.channel.close()
    finally:
        process.terminate()
        process.wait(60)


def test_every_case_is_answered_as_tensorflow_serving_answers_it(server: Running) -> None:
    found = conformance.compare(server.url)
    assert found.differences == ()
    assert found.skipped == ("cors/off", "metrics/off")
    assert found.asked == found.equal == len(cases()) - 2


def example(**features: float) -> Any:
    import tensorflow as tf

    found = tf.train.Example()
    for name, value in features.items():
        found.features.feature[name].float_list.value.append(value)
    return found


def refusal(call: Any, request: Any) -> tuple[str, str]:
    import grpc

    with pytest.raises(grpc.RpcError) as error:
        call(request)
    return error.value.code().name, error.value.details()


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("bool", [True, False]),
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("int16", [-1, 1]),
        ("int32", [-1, 1]),
        ("uint32", [0, 2**32 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint64", [0, 2**64 - 1]),
        ("float", [0.1, float("inf")]),
        ("double", [0.1, 1e300]),
        ("string", ["", "é"]),
    ],
)
def test_a_tensor_comes_back_the_same_by_both_ways(
    server: Running, dtype: str, values: list[Any]
) -> None:
    import numpy as np
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "echo", dtype
    # As an array: of a list, TensorFlow 2.21 makes the greatest uint64 a zero.
    sent = tf.make_tensor_proto(np.array([values, values], tf.as_dtype(dtype).as_numpy_dtype))
    request.inputs["x"].CopyFrom(sent)
    answer = server.prediction.Predict(request)
    assert answer.model_spec.version.value == 1
    back = tf.make_ndarray(answer.outputs["y"])
    np.testing.assert_array_equal(back, tf.make_ndarray(sent))
    # In the typed field, where clients read it.
    assert not answer.outputs["y"].tensor_content
    if dtype == "string":
        back = np.array([[v.decode() for v in row] for row in back])
    document = json.dumps({"signature_name": dtype, "inputs": [values, values]})
    rest = requests.post(f"{server.url}/v1/models/echo:predict", document.encode(), timeout=30)
    np.testing.assert_array_equal(np.array(json.loads(rest.content)["outputs"], back.dtype), back)


def test_half_and_complex_tensors_go_by_grpc_only(server: Running) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "echo", "half"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.5], dtype=tf.half))
    assert tf.make_ndarray(server.prediction.Predict(request).outputs["y"]).tolist() == [1.5]
    request.model_spec.name, request.model_spec.signature_name = "constants", "complex"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    assert tf.make_ndarray(server.prediction.Predict(request).outputs["y"]).tolist() == [1j]


def test_examples_give_the_same_by_both_ways(server: Running) -> None:
    from tensorflow_serving.apis import (
        classification_pb2,
        inference_pb2,
        input_pb2,
        regression_pb2,
    )

    some = [example(floats=0.25), example(floats=0.5)]
    plain = input_pb2.Input(example_list=input_pb2.ExampleList(examples=some))
    both = input_pb2.ExampleListWithContext(examples=[example()], context=some[0])
    document: dict[str, Any] = {"examples": [{"floats": 0.25}, {"floats": 0.5}]}

    classify = classification_pb2.ClassificationRequest(input=plain)
    classify.model_spec.name, classify.model_spec.signature_name = "examples", "classify"
    classes = server.prediction.Classify(classify).result
    assert server.post("examples", "classify", {**document, "signature_name": "classify"}) == {
        "results": [[[c.label, c.score] for c in row.classes] for row in classes.classifications]
    }
    regress = regression_pb2.RegressionRequest(input=plain)
    regress.model_spec.name = "examples"
    values = server.prediction.Regress(regress).result
    found = [r.value for r in values.regressions]
    assert server.post("examples", "regress", document) == {"results": found}
    regress.input.CopyFrom(input_pb2.Input(example_list_with_context=both))
    assert [r.value for r in server.prediction.Regress(regress).result.regressions] == [0.25]

    multi = inference_pb2.MultiInferenceRequest(input=plain)
    for verb, signature in (("classify", "classify"), ("regress", "")):
        task = multi.tasks.add(method_name=f"tensorflow/serving/{verb}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    first, second = server.prediction.MultiInference(multi).results
    assert first.classification_result == classes
    assert second.regression_result == values
    assert second.model_spec.signature_name == "serving_default"


def test_status_and_metadata_are_the_same_by_both_ways(server: Running) -> None:
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

    for name in ("line", "examples"):
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = name
        states = server.models.GetModelStatus(status).model_version_status
        document = requests.get(f"{server.url}/v1/models/{name}", timeout=30).json()
        assert [(str(s.version), s.State.Name(s.state)) for s in states] == [
            (v["version"], v["state"]) for v in document["model_version_status"]
        ]
        metadata = get_model_metadata_pb2.GetModelMetadataRequest()
        metadata.model_spec.name = name
        metadata.metadata_field.append("signature_def")
        answer = server.prediction.GetModelMetadata(metadata)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert answer.metadata["signature_def"].Unpack(signatures)
        document = requests.get(f"{server.url}/v1/models/{name}/metadata", timeout=30).json()
        assert str(answer.model_spec.version.value) == document["model_spec"]["version"]
        rest = json_format.ParseDict(
            document["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
        )
        assert rest == signatures


def test_refusals_have_the_code_and_text_of_tf_serving(server: Running) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        predict_pb2,
    )

    predict = server.prediction.Predict
    request = predict_pb2.PredictRequest()
    assert refusal(predict, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    request.model_spec.signature_name = "none"
    assert refusal(predict, request) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    request.model_spec.name = "line"
    text = 'Serving signature key "none" not found.'
    assert refusal(predict, request) == ("FAILED_PRECONDITION", text)
    request.model_spec.signature_name = ""
    assert refusal(predict, request)[1].startswith("input size does not match signature: 0!=1")
    request.inputs["z"].CopyFrom(tf.make_tensor_proto([1.0]))
    assert refusal(predict, request)[1].startswith("input tensor alias not found in signature: z")
    del request.inputs["z"]
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1]))
    assert refusal(predict, request)[0] == "INVALID_ARGUMENT"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    request.inputs["x"].tensor_shape.dim[0].size = 2**40
    code, text = refusal(predict, request)
    assert (code, text) == ("INVALID_ARGUMENT", f"tensor parsing error: x has the shape [{2**40}]")
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    request.output_filter.append("none")
    assert refusal(predict, request)[1].startswith("output tensor alias not found in signature")
    request.output_filter[:] = ["y", "y"]
    assert refusal(predict, request)[1] == "duplicate output tensor alias: y"
    request.output_filter[:] = ["y"]
    request.model_spec.version_label = "stable"
    assert predict(request).model_spec.version.value == 1
    request.model_spec.version.value = 9
    assert refusal(predict, request) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(line, 9)",
    )
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name, classify.model_spec.signature_name = "examples", "classify"
    assert refusal(server.prediction.Classify, classify)[1] == "Input is empty."
    multi = inference_pb2.MultiInferenceRequest()
    multi.tasks.add(method_name="tensorflow/serving/predict").model_spec.name = "line"
    assert refusal(server.prediction.MultiInference, multi)[0] == "UNIMPLEMENTED"
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    metadata.model_spec.name = "line"
    metadata.metadata_field.append("none")
    text = "Metadata field none is not supported"
    assert refusal(server.prediction.GetModelMetadata, metadata) == ("INVALID_ARGUMENT", text)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "none"
    text = "Could not find any versions of model none"
    assert refusal(server.models.GetModelStatus, status) == ("NOT_FOUND", text)


def test_health_and_reflection(server: Running) -> None:
    from google.protobuf import descriptor_pb2

    from serving.introspection import _REFLECTION_MESSAGES, _health_pool
    from serving.messages import message_classes

    pool = _health_pool()
    request = pool.message_class("grpc.health.v1.HealthCheckRequest")
    response = pool.message_class("grpc.health.v1.HealthCheckResponse")
    check = server.channel.unary_unary(
        "/grpc.health.v1.Health/Check", request.SerializeToString, response.FromString
    )
    assert check(request()).status == 1
    assert check(request(service="tensorflow.serving.PredictionService")).status == 1
    assert refusal(check, request(service="none")) == ("NOT_FOUND", "Unknown service none")

    for version in ("v1", "v1alpha"):
        package = f"grpc.reflection.{version}"
        classes = message_classes(package, _REFLECTION_MESSAGES)
        asked = classes["ServerReflectionRequest"]
        reflect = server.channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            asked.SerializeToString,
            classes["ServerReflectionResponse"].FromString,
        )
        names = (
            "tensorflow.serving.PredictionService",
            "grpc.health.v1.Health",
            "tensorflow.serving.ModelService",
            "none",
        )
        listed, *symbols = reflect(
            iter([asked(list_services=""), *(asked(file_containing_symbol=n) for n in names)])
        )
        services = [service.name for service in listed.list_services_response.service]
        assert services == sorted(names[:3])
        prediction, health, models, none = symbols
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in prediction.file_descriptor_response.file_descriptor_proto
        ]
        methods = {m.name for file in files for service in file.service for m in service.method}
        assert "MultiInference" in methods
        # Every file that another one needs is there.
        assert {name for file in files for name in file.dependency} <= {f.name for f in files}
        assert len(health.file_descriptor_response.file_descriptor_proto) == 1
        assert len(models.file_descriptor_response.file_descriptor_proto) > 5
        assert none.error_response.error_code == 5


def test_a_reload_by_grpc_writes_the_file_that_is_followed(server: Running) -> None:
    from google.protobuf import text_format
    from tensorflow_serving.apis import model_management_pb2, predict_pb2

    before = server.models_config.read_text()
    request = model_management_pb2.ReloadConfigRequest()
    reload = server.models.HandleReloadConfigRequest
    assert refusal(reload, request)[0] == "INVALID_ARGUMENT"
    text_format.Parse(before, request.config)
    [line] = [c for c in request.config.model_config_list.config if c.name == "line"]
    line.version_labels["stable"] = 2
    assert reload(request).status.error_code == 0
    assert config.served_version(config.read(str(server.models_config)), "line") == 2
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name, asked.model_spec.version_label = "line", "stable"
    asked.inputs["x"].dtype = 1
    asked.inputs["x"].tensor_shape.SetInParent()
    asked.inputs["x"].float_val.append(2.0)
    answer = server.prediction.Predict(asked)
    assert (answer.model_spec.version.value, list(answer.outputs["y"].float_val)) == (2, [3.0])
    line.version_labels["stable"] = 9
    assert refusal(reload, request)[0] == "FAILED_PRECONDITION"
    request.config.Clear()
    text_format.Parse(before, request.config)
    reload(request)


@pytest.mark.long
def test_the_command_writes_models_that_a_server_serves(tmp_path: Path) -> None:
    written = conformance.write_models(str(tmp_path / "models"))
    names = [model.name for model in config.read(written.models_config).models]
    assert sorted(names) == sorted(conformance.MODELS)
    with pytest.raises(UsageError, match="holds something"):
        conformance.write_models(written.folder)
