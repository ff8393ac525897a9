"""The entry point of containers gives TFX the types that open-source Kubeflow leaves out."""

from __future__ import annotations

import json

from tfx_pipeline.kubeflow_step import INPUT, TYPES, tfx_arguments, with_types

SPEC = json.dumps(
    {
        "artifacts": {
            "examples": {"artifactType": {"schemaTitle": "tfx.Examples", "schemaVersion": "0.0.1"}},
            "schema": {"artifactType": {"instanceSchema": "title: tfx.Schema\n"}},
        },
        "parameters": {"seed": {"parameterType": "NUMBER_INTEGER"}},
    }
)


def given(**types: object) -> str:
    """An ExecutorInput whose artifacts have these types, or none."""
    artifacts = {
        name: {
            "artifacts": [{"name": "7", "uri": f"/a/{name}", **({"type": kind} if kind else {})}]
        }
        for name, kind in types.items()
    }
    outputs = {"outputFile": "/a/output.json", "unknown": 1}
    return json.dumps(
        {"inputs": {"artifacts": artifacts, "parameterValues": {"seed": 3}}, "outputs": outputs}
    )


def test_types_are_filled_in_from_the_component() -> None:
    found = json.loads(with_types(given(examples=None, schema=None), SPEC))
    artifacts = found["inputs"]["artifacts"]
    assert artifacts["examples"]["artifacts"] == [
        {
            "name": "7",
            "uri": "/a/examples",
            "type": {"schemaTitle": "tfx.Examples", "schemaVersion": "0.0.1"},
        }
    ]
    assert artifacts["schema"]["artifacts"][0]["type"] == {"instanceSchema": "title: tfx.Schema\n"}
    assert found["inputs"]["parameterValues"] == {"seed": 3}
    assert found["outputs"]["outputFile"] == "/a/output.json"


def test_a_type_that_was_sent_stays() -> None:
    sent = {"schemaTitle": "tfx.Other"}
    found = json.loads(with_types(given(examples=sent, more=None), SPEC))
    artifacts = found["inputs"]["artifacts"]
    assert artifacts["examples"]["artifacts"][0]["type"] == sent
    assert "type" not in artifacts["more"]["artifacts"][0]


def test_a_type_without_a_name_is_none() -> None:
    found = json.loads(with_types(given(schema={}), SPEC))
    (artifact,) = found["inputs"]["artifacts"]["schema"]["artifacts"]
    assert artifact["type"] == {"instanceSchema": "title: tfx.Schema\n"}


def test_arguments_for_tfx_are_those_of_the_container_without_the_hash() -> None:
    arguments = ["--executor_class_path", "a.B", INPUT, given(examples=None), TYPES, SPEC]
    found = tfx_arguments([*arguments, "--direct_num_workers=1", "--code_hash=ab"])
    assert found[:3] == arguments[:3]
    assert "tfx.Examples" in found[3]
    assert found[4:] == [*arguments[4:], "--direct_num_workers=1"]


def test_a_step_without_types_is_passed_on() -> None:
    assert tfx_arguments([INPUT, "{}"]) == [INPUT, "{}"]
