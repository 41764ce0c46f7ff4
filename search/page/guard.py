"""Access to a live page: a request needs the token, and an address that is this server's own."""

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Guard:
    """What requests are checked against."""

    token: str
    """The secret in the address that the server prints."""
    host: str
    """The name or address that it listens on."""
    port: int
    """Its port."""

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token; servers on other ports use other names."""
        return f"hpsearch-{self.port}"

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is refused, by its host or by the page that it came from; None if it is not refused.

        A host name that is not this machine's may belong to another site that makes it point here (DNS rebinding).
        A numeric address cannot.
        """
        host = headers.get("Host", "")
        if not self._is_own(host):
            named = host.encode(errors="replace").decode() or "nameless"  # its bytes need not be UTF-8
            return f"this server is not {named}; open the address that hpsearch serve printed"
        origin = headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "other sites may not read this page"
        if headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate":
            return "other sites may not read this page"
        return None

    def knows(self, token: str | None) -> bool:
        """Whether a token is this server's."""
        given = None if token is None else token.encode(errors="surrogateescape")  # its bytes need not be UTF-8
        return given is not None and hmac.compare_digest(given, self.token.encode())

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            return name in {"localhost", self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}


def policy(nonce: str) -> str:
    """The content security policy of a live page."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
