"""A search sent as a job: what is refused before anything is sent, and a real cluster that takes it."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from search.history.store import Request
from search.machines.cluster import ClusterError
from search.run import job


def request(**changed):
    return Request(**{"space": "cnn5", "samples": 1, "dataset": "digits", "data_dir": ""} | changed)


def refusal(url="http://127.0.0.1:1", *, storage="/shared", **changed):
    """The error's one line, and that it came soon."""
    began = time.monotonic()
    with pytest.raises(ClusterError) as raised:
        job.submit(url, [], request(**changed), "first", storage=storage, results=Path("results"))
    assert time.monotonic() - began < 20
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- what is asked for


def test_without_a_storage_the_record_would_go_with_the_head():
    assert "--submit needs --storage" in refusal(storage=None)
    assert "a folder that all share, /a/path; got 'copies'" in refusal(storage="copies")


def test_credentials_do_not_travel_in_a_command_that_all_can_see():
    line = refusal(storage="s3://name:secret@bucket/path")
    assert "must not hold credentials" in line and "secret" not in line


def test_a_dataset_is_known_or_lies_on_the_head():
    assert "a folder or file on the head, /a/path; got 'images'" in refusal(dataset="images")


@pytest.mark.parametrize(
    "url", ["", "head", "head:8265", "ray://head:10001", "http://head", "http://head:x", "http://h:1/a"]
)
def test_the_address_is_that_of_a_dashboard(url):
    assert f"http://HEAD:8265; got '{url}'" in refusal(url)


# ---- who answers


@pytest.fixture
def dashboard():
    """A server that answers as `answers` says, by the authorization of a request, and notes what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("authorization")))
            status, body = answers.get(self.headers.get("authorization"), answers[None])
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    answers, asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers, asked
    server.shutdown()
    server.server_close()


def test_nobody_answers(monkeypatch):
    assert "no dashboard answers at http://127.0.0.1:1" in refusal()
    assert "no dashboard answers" in refusal("http://nosuchhost.invalid:8265")
    monkeypatch.setattr(job, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "(timed out)" in refusal(f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    "answer", [(404, "not found"), (200, "<html>"), (200, "[]"), (200, "{}"), (302, "http://127.0.0.1:1")]
)
def test_something_else_answers(dashboard, answer):
    url, answers, asked = dashboard
    answers[None] = answer
    assert f"{url} is not a Ray dashboard" in refusal(url)
    assert asked == [("/api/version", None)]  # no token for whoever does not ask for one


def test_a_missing_and_a_wrong_token(dashboard, monkeypatch, tmp_path):
    url, answers, asked = dashboard
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    answers[None] = (401, "Unauthorized: Missing authentication token")
    line = refusal(url)
    assert "asks for a token, and there is none here" in line and "~/.ray/auth_token" in line
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    answers["Bearer secret"] = (403, "Forbidden: Invalid authentication token")
    line = refusal(url)
    assert "a different token from this machine" in line and "secret" not in line
    assert asked[-1] == ("/api/version", "Bearer secret")


def test_another_version_of_ray(dashboard):
    url, answers, _ = dashboard
    answers[None] = (200, json.dumps({"version": "4", "ray_version": "2.1.0"}))
    assert f"runs Ray 2.1.0, and this machine has Ray {version('ray')}" in refusal(url)


def test_a_dashboard_that_lets_everybody_in_is_named(dashboard):
    url, answers, _ = dashboard
    answers[None] = (200, json.dumps({"version": "4", "ray_version": version("ray")}))
    with pytest.warns(UserWarning, match="asks for no token: whoever reaches it may run code on its machines"):
        assert f"{url} rejects the job" in refusal(url)
