"""A request as the simulated foundation sees it."""

from urllib.parse import parse_qsl, urlsplit

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came; `url` is the server's own address."""

    url: str
    method: str
    target: str
    authorization: str | None
    body: bytes

    @property
    def line(self) -> bytes:
        """The request line with its end."""
        return f"{self.method} {self.target} HTTP/1.1\r\n".encode("latin-1")

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    @property
    def query(self) -> dict[str, str]:
        """The query, parsed."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
