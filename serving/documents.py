"""What the REST API answers about a model, with TF Serving's keys in TF Serving's order."""

from __future__ import annotations

import msgspec


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Why a version is in its state.

    Attributes:
        error_code: Canonical code, such as ``OK``.
        error_message: Text of the error, or "".
    """

    error_code: str = "OK"
    error_message: str = ""


class VersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one version.

    Attributes:
        version: Number of the version, as text.
        state: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END``.
        status: Why it is in that state.
    """

    version: str
    state: str
    status: Status


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a status request.

    Attributes:
        model_version_status: The versions, newest first.
    """

    model_version_status: tuple[VersionStatus, ...]


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Which version answered.

    Attributes:
        name: Name that the model is served under.
        signature_name: Empty in an answer about all signatures.
        version: Number of the version, as text.
    """

    name: str
    signature_name: str = ""
    version: str


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """One axis of a tensor.

    Attributes:
        size: Its size as text, -1 where unknown.
        name: Empty in all answers.
    """

    size: str
    name: str = ""


class TensorShape(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a tensor.

    Attributes:
        dim: Its axes in order.
        unknown_rank: Whether even their number is unknown.
    """

    dim: tuple[Dimension, ...]
    unknown_rank: bool


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of a signature.

    Attributes:
        dtype: TensorFlow's name of the type, such as ``DT_FLOAT``.
        tensor_shape: Sizes of its axes.
        name: Name of the tensor in the graph; a sparse one has none.
    """

    dtype: str
    tensor_shape: TensorShape
    name: str = ""


class SignatureDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One way to call a model.

    Attributes:
        inputs: By the name that requests use.
        outputs: By the name that answers use.
        method_name: TF Serving's method, such as ``tensorflow/serving/predict``.
        defaults: Empty in all answers.
    """

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method_name: str
    defaults: dict[str, TensorInfo] = {}


class SignatureMap(msgspec.Struct, frozen=True, kw_only=True):
    """The signatures of a version.

    Attributes:
        signature_def: Every signature by name.
    """

    signature_def: dict[str, SignatureDefinition]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a version says about itself.

    Attributes:
        signature_def: Its signatures by name.
    """

    signature_def: SignatureMap


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a metadata request.

    Attributes:
        model_spec: Which version answered.
        metadata: What it says about itself.
    """

    model_spec: ModelSpec
    metadata: Metadata


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a predict request in row format.

    Attributes:
        predictions: One JSON value per instance.
    """

    predictions: list[object]
