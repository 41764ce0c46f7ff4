"""Who may read a live page."""

import socket

import pytest

from search.page.guard import Guard, policy

GUARD = Guard("secret", "127.0.0.1", 8760)


@pytest.mark.parametrize("host", ["127.0.0.1:8760", "localhost:9", "[::1]:8760", "10.1.2.3", socket.gethostname()])
def test_addresses_in_numbers_and_this_machines_names_are_its_own(host):
    assert GUARD.refusal({"Host": host}) is None


@pytest.mark.parametrize(
    "host", ["evil.example:8760", "", "127.0.0.1.evil.example", "localhost.evil.example", "[", "a b", "\udcff"]
)
def test_a_name_that_is_not_this_machines_is_refused(host):
    assert "open the address that hpsearch serve printed" in (GUARD.refusal({"Host": host}) or "")
    assert (GUARD.refusal({"Host": host}) or "").encode(), "it is sent as UTF-8"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", "http://a℀b", "\udcff"]
)
def test_a_request_from_another_sites_page_is_refused(origin):
    assert GUARD.refusal({"Host": "127.0.0.1:8760", "Origin": origin}) == "other sites may not read this page"
    assert GUARD.refusal({"Host": "127.0.0.1:8760", "Origin": "http://127.0.0.1:8760"}) is None


@pytest.mark.parametrize("token", [None, "", "Secret", "secret ", "sécret", "\udcff\udcfe"])
def test_only_the_token_itself_is_known(token):
    assert not GUARD.knows(token)
    assert GUARD.knows("secret")


def test_the_policy_lets_no_script_run_but_the_servers_own():
    rules = dict(rule.split(" ", 1) for rule in policy("abc").split("; "))
    assert rules["script-src"] == "'self' 'nonce-abc'"
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
