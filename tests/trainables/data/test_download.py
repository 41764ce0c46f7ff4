"""A download has its name only when it is what was asked for, and is given up when it never will be."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trainables.data import download

DATA = b"a dataset" * 1000
Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server whose answers a function writes; its address."""
    servers = []

    def begin(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True  # the client has hung up

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/data.gz"

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def known(data: bytes = DATA) -> str:
    return hashlib.md5(data).hexdigest()


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(DATA)


def test_a_file_is_downloaded_once(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "new" / "data.gz"
    download.fetch(serve(whole), path, known())
    assert path.read_bytes() == DATA
    download.fetch("http://127.0.0.1:9/", path, known())
    assert [file.name for file in path.parent.iterdir()] == ["data.gz"]


def test_a_file_that_is_not_what_it_should_be_is_replaced(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "data.gz").write_bytes(b"half of it")
    download.fetch(serve(whole), tmp_path / "data.gz", known())
    assert (tmp_path / "data.gz").read_bytes() == DATA


def test_what_has_another_checksum_never_has_the_name(tmp_path: Path, serve: Serve) -> None:
    with pytest.raises(OSError, match="checksum"):
        download.fetch(serve(whole), tmp_path / "data.gz", known(b"other"))
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_an_end_is_given_up(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        while True:
            handler.wfile.write(bytes(2**20))

    monkeypatch.setattr(download, "MOST_BYTES", 8 << 20)
    with pytest.raises(OSError, match="more than 8 MiB"):
        download.fetch(serve(endless), tmp_path / "data.gz", known())
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_drips_is_given_up(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(bytes(2**20))  # what came before does not count
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)

    monkeypatch.setattr(download, "WINDOW_SECONDS", 0.2)
    with pytest.raises(TimeoutError, match="bytes a second"):
        download.fetch(serve(drip), tmp_path / "data.gz", known())
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_silent_is_given_up(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        download.fetch(serve(lambda _: time.sleep(2)), tmp_path / "data.gz", known())
