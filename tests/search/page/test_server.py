"""The live pages over HTTP: a real server on loopback, and ledgers that grow."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from search.cli.serving import serve
from search.history.ledger import Ledger
from search.history.load import read_search
from search.page import server
from search.page.guard import Guard
from search.page.library import ResultsLibrary, StorageLibrary
from search.page.server import ServerError, application, listen
from tests.search.page.searches import Clock, make_search, train

TOKEN = "secret"


@asynccontextmanager
async def opened(library, *, token=TOKEN):
    """A server, and a browser that has opened its address."""
    served = TestServer(application(library, Guard(TOKEN, "127.0.0.1", 1)))
    async with served, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        if token:
            async with browser.get(served.make_url("/"), params={"token": token}, allow_redirects=False) as answer:
                assert answer.status == (303 if token == TOKEN else 403)
        yield served, browser


async def get(served, browser, path, **more):
    async with browser.get(served.make_url(path), **more) as answer:
        return answer.status, await answer.text(), answer.headers


def test_without_its_token_nobody_gets_anything(tmp_path):
    async def check():
        make_search(tmp_path, trials=2)
        for token in ("", "wrong"):
            async with opened(ResultsLibrary(tmp_path), token=token) as (served, browser):
                for path in ("/", "/search/made", "/search/made/update", "/search/made/events", "/static/plotly.js"):
                    status, text, _ = await get(served, browser, path)
                    assert status == 403
                    assert text == "the token is missing or wrong; open the address that hpsearch serve printed\n"

    asyncio.run(check())


def test_the_token_moves_from_the_address_into_a_cookie(tmp_path):
    async def check():
        async with opened(ResultsLibrary(tmp_path), token="") as (served, browser):
            path = served.make_url("/")
            async with browser.get(path, params={"token": TOKEN}, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/")
                assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Lax" in answer.headers["Set-Cookie"]

    asyncio.run(check())


def test_searches_are_listed_and_each_has_its_page(tmp_path):
    async def check():
        make_search(tmp_path, "one", trials=4, retrains=[(0, 1)])
        make_search(tmp_path, "two", trials=2, finished=False)
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "search.json").write_text("{")
        async with opened(ResultsLibrary(tmp_path)) as (served, browser):
            _, text, _ = await get(served, browser, "/")
            assert 'href="/search/one"' in text and 'href="/search/two"' in text
            assert "is damaged" in text and 'href="/search/broken"' not in text
            status, text, headers = await get(served, browser, "/search/one")
            assert status == 200 and "What won" in text
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")

    asyncio.run(check())


@pytest.mark.parametrize(
    "path",
    [
        "/search/..%2f..%2fetc",
        "/search/none",
        "/static/..%2fpage.py",
        "/static/style.css",
        "/static/%2fetc%2fpasswd",
        "/search.json",
        "/search/made/search.json",
    ],
)
def test_it_has_no_file_to_give_but_its_own(tmp_path, path):
    async def check():
        make_search(tmp_path, trials=1)
        async with opened(ResultsLibrary(tmp_path)) as (served, browser):
            status, text, _ = await get(served, browser, path)
            assert status == 404 and text.count("\n") == 1

    asyncio.run(check())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_changes_nothing(tmp_path, method):
    async def check():
        make_search(tmp_path, trials=1)
        async with (
            opened(ResultsLibrary(tmp_path)) as (served, browser),
            browser.request(method, served.make_url("/search/made")) as answer,
        ):
            assert answer.status == 405

    asyncio.run(check())


def test_other_hosts_and_sites_are_refused(tmp_path):
    async def check():
        async with opened(ResultsLibrary(tmp_path)) as (served, browser):
            for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                status, _, _ = await get(served, browser, "/", headers=headers)
                assert status == 403

    asyncio.run(check())


def test_a_browser_hears_of_new_epochs_and_gets_them(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "POLL_SECONDS", 0.05)
    found = make_search(tmp_path, trials=3, finished=False)

    async def check():
        async with opened(ResultsLibrary(tmp_path)) as (served, browser):
            before = json.loads((await get(served, browser, "/search/made/update"))[1])
            async with browser.get(served.make_url("/search/made/events")) as events:
                assert events.headers["Content-Type"] == "text/event-stream"
                assert await events.content.readline() == b"event: changed\n"
                for _ in range(2):
                    await events.content.readline()
                with Ledger(found.ledger) as book:
                    asked = next(event for event in book.events if event.kind == "asked")
                    train_one_more(book, asked)
                    line = await asyncio.wait_for(events.content.readline(), 10)
                    assert line == b"event: changed\n"
                    after = json.loads((await get(served, browser, "/search/made/update"))[1])
                    assert after["state"] == "running"
            rows = [len(each["drawn"]["curves"]["table"]["values"]["epoch"]) for each in (before, after)]
            assert rows[1] == rows[0] + 4
            assert before["state"] == "killed"

    asyncio.run(check())


def train_one_more(book, asked):
    from dataclasses import replace

    book.append(replace(asked, trial=3))
    train(book, Clock(), 3, 0, 4, 4)


def test_searches_of_a_storage_are_copied_only_when_the_last_copy_is_old(tmp_path):
    make_search(tmp_path, trials=2)
    copies = []

    @contextmanager
    def copy(name):
        copies.append(name)
        yield read_search(tmp_path, name)

    library = StorageLibrary(lambda: ["made"], copy)
    assert [row["name"] for row in library.rows()] == ["made"]
    assert library.page("made").title == "made"
    assert library.version("made") == library.version("made")
    assert copies == ["made"]


def test_a_port_that_is_taken_is_refused_in_one_line():
    with (
        listen("127.0.0.1", 0) as taken,
        pytest.raises(ServerError, match=r"^cannot listen on 127\.0\.0\.1, port \d+: .*--port"),
    ):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "my..host", "a" * 64])
def test_a_host_that_is_none_is_refused_in_one_line(host):
    with pytest.raises(ServerError, match=f"^cannot listen on {re.escape(host)}, port 0: .*; give another"):
        listen(host, 0)


def test_it_listens_on_this_machine_alone_unless_asked_otherwise():
    assert {option.name: option.default for option in serve.params}["host"] == "127.0.0.1"
