from __future__ import annotations

import datetime
import logging
from pathlib import Path

import pytest
import requests

from goldlake_core.contracts.errors import UsageError
from serving import config
from serving.access import Access, read_access, warn_if_exposed
from serving.config import ModelsConfig
from tests.serving.lines import running, save


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(chain), str(private)


@pytest.fixture
def models_config(tmp_path: Path) -> Path:
    save(tmp_path / "line", 1, 1)
    path = tmp_path / "models.config"
    base = str(tmp_path / "line")
    config.write(str(path), config.with_label(ModelsConfig(), "line", 1, "stable", base))
    return path


def test_a_page_of_elsewhere_may_send_a_token_and_read_the_refusal(models_config: Path) -> None:
    origin = {"Origin": "http://localhost"}
    preflight = {**origin, "Access-Control-Request-Headers": "authorization,content-type"}
    body = b'{"instances": [1]}'
    with running(models_config, access=Access(tokens=(b"one",)), has_cors=True) as url:
        address = f"{url}/v1/models/line:predict"
        allowed = requests.options(address, headers=preflight, timeout=10)
        refused = requests.post(address, body, headers=origin, timeout=10)
        token = {"Authorization": "Bearer one"}
        answered = requests.post(address, body, headers={**origin, **token}, timeout=10)
    assert [each.status_code for each in (allowed, refused, answered)] == [200, 401, 200]
    for each in (allowed, refused, answered):
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        named = each.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert named == ["content-type", "authorization"]
    with running(models_config, access=Access(tokens=(b"one",))) as url:
        closed = requests.post(f"{url}/v1/models/line:predict", body, headers=origin, timeout=10)
    assert closed.status_code == 401
    assert "Access-Control-Allow-Origin" not in closed.headers


def test_tls_and_a_token(models_config: Path, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text("one\n\n two \n")
    access = read_access(chain, key, str(tokens))
    assert access.tokens == (b"one", b"two")
    assert "PRIVATE" not in repr(access)
    assert "two" not in repr(access)
    with running(models_config, access=access) as url, requests.Session() as session:
        assert url.startswith("https://127.0.0.1:")
        address = f"{url}/v1/models/line:predict"
        session.trust_env, session.verify = False, chain
        assert session.post(address, b'{"instances": [1]}', timeout=10).status_code == 401
        session.headers["Authorization"] = "Bearer two"
        body = b'{"instances": [%b]}' % b",".join([b"1"] * 30_000)
        for _ in range(3):
            found = session.post(address, body, timeout=10)
            assert found.json() == {"predictions": [1.5] * 30_000}
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http{url.removeprefix('https')}/healthz", timeout=10)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{url}/healthz", timeout=10)
        assert session.get(f"{url}/healthz", timeout=10).status_code == 200


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for files, text in (
        ((chain, None, None), "TLS needs two files"),
        ((None, key, None), "TLS needs two files"),
        ((chain, str(tmp_path / "no"), None), "cannot be read: No such file"),
        ((chain, chain, None), "cannot be used for TLS"),
        ((key, chain, None), "cannot be used for TLS"),
        ((None, None, str(empty)), "holds no token"),
        ((None, None, key), "holds no token"),
        ((None, None, str(tmp_path)), "cannot be read: Is a directory"),
    ):
        with pytest.raises(UsageError, match=text) as error:
            read_access(*files)
        assert "BEGIN" not in error.value.message


def test_a_server_for_other_machines_warns_of_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_if_exposed(["127.0.0.1", "::1", "localhost", "127.8.0.1"], Access())
        assert not caplog.messages
        warn_if_exposed(["0.0.0.0"], Access(tokens=(b"x",)))
        assert caplog.messages[-1].endswith("at 0.0.0.0, without TLS (--tls-cert, --tls-key)")
        warn_if_exposed(["::"], Access())
    assert caplog.messages[-1].endswith(
        "without TLS (--tls-cert, --tls-key) and a token (--token-file)"
    )


@pytest.mark.tfx
def test_grpc_takes_the_same_certificate_and_tokens(models_config: Path, tmp_path: Path) -> None:
    import grpc
    from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

    from serving import grpc as front

    assert front.SERVICES
    chain, key = certificate(tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text("one")
    addresses: list[str] = []
    access = read_access(chain, key, str(tokens))
    with running(models_config, access=access, grpc_port=0, on_grpc=addresses.append):
        credentials = grpc.ssl_channel_credentials(Path(chain).read_bytes())
        with grpc.secure_channel(addresses[0], credentials) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = "line"
            for metadata in ((), (("authorization", "Bearer no"),)):
                with pytest.raises(grpc.RpcError) as error:
                    stub.GetModelStatus(request, metadata=metadata, timeout=10)
                assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
            found = stub.GetModelStatus(
                request, metadata=(("authorization", "Bearer one"),), timeout=10
            )
            assert found.model_version_status[0].version == 1
        with grpc.insecure_channel(addresses[0]) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                stub.GetModelStatus(request, timeout=10)
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
