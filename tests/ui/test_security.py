"""Nobody gets in, and nothing is done, who or what should not."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from goldlake.ui import serve
from goldlake.ui.app import application
from goldlake.ui.security import MOST_FORM_BYTES, MOST_SESSIONS, MOST_WRONG_TOKENS, Access
from goldlake.workflows.jobs.queue import Queue
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.storage.home import Home
from tests.ui.conftest import client_of, csrf_of

TOKEN = "correct-horse"


def actions(home: Home) -> list[str]:
    """Every path that takes a form."""
    routes = [each for each in application(home, Access()).routes if isinstance(each, Route)]
    paths = [each.path for each in routes if each.methods and "POST" in each.methods]
    return [path.replace("{job}", "20260101-000000-000000-beef") for path in paths]


def test_every_answer_has_a_strict_policy(client: TestClient) -> None:
    for path in ("/", "/nope", "/static/app.js", "/live/status", "/jobs/nope"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient) -> None:
    cookie = client.get("/runs").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    assert "set-cookie" not in client.get("/runs").headers


def test_a_cookie_of_https_is_only_for_https(home: Home) -> None:
    assert "; Secure" in client_of(home, Access(is_secure=True)).get("/").headers["set-cookie"]


def test_another_name_of_loopback_is_not_answered(client: TestClient) -> None:
    answer = client.get("/", headers={"host": "evil.example:8600"})
    assert answer.status_code == 421
    for name in ("localhost:1", "127.0.0.1", "[::1]:8600"):
        assert client.get("/healthz", headers={"host": name}).status_code == 200


def test_every_action_wants_the_secret_of_its_session(home: Home) -> None:
    client = client_of(home, Access())
    csrf_of(client)
    assert len(actions(home)) >= 7
    for path in actions(home):
        for form in ({}, {"csrf": "wrong"}, {"csrf": csrf_of(client_of(home, Access()))}):
            answer = client.post(path, data=form, follow_redirects=False)
            assert answer.status_code == 403, path
            assert "This page is too old" in answer.text
    assert Queue(home).jobs() == []


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    form = {"csrf": csrf_of(client), "kind": "train", "subject": "chicago_crime.arrest"}
    for origin in ("http://evil.example", "null"):
        answer = client.post("/jobs", data=form, headers={"origin": origin})
        assert answer.status_code == 403
        assert answer.text == "The request comes from a page of another site."


def test_read_only_refuses_every_action_and_offers_none(home: Home) -> None:
    client = client_of(home, Access(is_read_only=True))
    for path in ("/", "/runs", "/models", "/models/chicago_crime.arrest", "/quarantine"):
        text = client.get(path).text
        assert 'action="/jobs' not in text, path
    for path in ("/jobs", "/jobs/x/cancel", "/predict/server"):
        answer = client.post(path)
        assert (answer.status_code, answer.text) == (403, "This app is read-only.")


def test_a_form_may_not_be_large(client: TestClient) -> None:
    form = {"csrf": csrf_of(client), "kind": "x" * (MOST_FORM_BYTES + 1)}
    assert client.post("/jobs", data=form).status_code == 413

    def chunks() -> object:
        for _ in range(20):
            yield b"x" * 10_000

    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post("/jobs", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 413


def test_with_a_token_nothing_is_shown_before_it(home: Home) -> None:
    client = client_of(home, Access(tokens=(TOKEN,)))
    for path in ("/", "/tables", "/models/chicago_crime.arrest", "/nope"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/live/status").status_code == 401
    assert client.post("/jobs").status_code == 401
    assert "chicago" not in client.get("/sign-in").text


def test_the_token_opens_and_signing_out_closes(home: Home) -> None:
    client = client_of(home, Access(tokens=("other", TOKEN)))
    before = client.get("/sign-in").headers["set-cookie"]
    form = {"csrf": csrf_of(client, "/sign-in"), "token": "nope"}
    wrong = client.post("/sign-in", data=form)
    assert (wrong.status_code, "This is not the token." in wrong.text) == (401, True)
    right = client.post("/sign-in", data={**form, "token": TOKEN}, follow_redirects=False)
    assert right.status_code == 303
    assert right.headers["set-cookie"] != before
    assert "Rows in silver" in client.get("/").text
    # A name of another machine is answered, as the app is meant to be reached there.
    assert client.get("/tables", headers={"host": "lake.example"}).status_code in (200, 303)
    client.post("/sign-out", data={"csrf": csrf_of(client)})
    assert client.get("/", follow_redirects=False).status_code == 303


def test_tokens_cannot_be_guessed_quickly(home: Home) -> None:
    client = client_of(home, Access(tokens=(TOKEN,)))
    form = {"csrf": csrf_of(client, "/sign-in")}
    for _ in range(MOST_WRONG_TOKENS):
        assert client.post("/sign-in", data={**form, "token": "x"}).status_code == 401
    answer = client.post("/sign-in", data={**form, "token": TOKEN})
    assert answer.status_code == 429
    assert "Too many wrong tokens" in answer.text


def test_sessions_are_bounded() -> None:
    access = Access()
    first = access.new_session(is_signed_in=False)
    for _ in range(MOST_SESSIONS):
        access.new_session(is_signed_in=False)
    assert access.session(first.id) is None


def test_a_token_is_made_beyond_loopback_only() -> None:
    assert serve._tokens(serve.Options()) == ((), None)
    tokens, told = serve._tokens(serve.Options(host="0.0.0.0"))
    assert tokens == (told,)
    assert told is not None
    assert len(told) >= 32


def test_the_file_of_tokens_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(UsageError, match=r"cannot be read: .* Valid: a token in each line\."):
        serve._tokens(serve.Options(token_file=str(file)))
    file.write_text("\n")
    with pytest.raises(UsageError, match="holds no token"):
        serve._tokens(serve.Options(token_file=str(file)))
    file.write_text("one\ntwo\n")
    assert serve._tokens(serve.Options(token_file=str(file))) == (("one", "two"), None)


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with serve._listen("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(PermanentError, match=rf"127.0.0.1 port {port} cannot be listened on"):
            serve._listen("127.0.0.1", port)


def test_a_certificate_goes_with_its_key(home: Home) -> None:
    with pytest.raises(UsageError, match="A certificate goes with its key"):
        serve.run(home, serve.Options(tls_cert="x"), lambda address, token: None)


def test_files_are_only_those_of_the_pages(client: TestClient) -> None:
    assert client.get("/static/app.css").status_code == 200
    plotly = client.get("/static/plotly.js")
    assert "immutable" in plotly.headers["cache-control"]
    assert len(plotly.content) > 1_000_000
    assert client.get("/static/..%2f..%2fsetup.py").status_code == 404
    assert client.get("/static/setup.py").status_code == 404
