"""Who may read a live page: those who have its token, by an address that is this server's own."""

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Guard:
    """What a request has to bring."""

    token: str
    """The secret of this server's address."""
    host: str
    """The name or address that it listens on."""
    port: int
    """Its port."""

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token; servers on other ports have others."""
        return f"hpsearch-{self.port}"

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is refused, for the address that it asked for or the page that it came from; None if it is not.

        A name that is not this machine's may be another site's that was made to point here (DNS rebinding); an address
        in numbers cannot be.
        """
        host = headers.get("Host", "")
        if not self._is_own(host):
            return f"this server is not {host or 'nameless'}; open it by the address that hpsearch serve has printed"
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "other sites may not read this page"
        if headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate":
            return "other sites may not read this page"
        return None

    def knows(self, token: str | None) -> bool:
        """Whether a token is this server's."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

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
