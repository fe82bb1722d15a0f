"""HTTP answers as the Cloud Controller, the gorouter and nginx write them."""

import json
from collections.abc import Mapping

import msgspec

from tools.local_cloud.behaviours import Refuses

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html"


class Reply(msgspec.Struct, frozen=True):
    """An answer, all but what every answer has."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = {}


def json_reply(document: object, status: int = 200) -> Reply:
    """A JSON document."""
    return Reply(status, json.dumps(document).encode())


def compact_reply(document: object) -> Reply:
    """A JSON document without blanks, as the Cloud Controller writes it: much of it is quick."""
    return Reply(200, msgspec.json.encode(document))


def refusal(refuses: Refuses) -> Reply:
    """A Cloud Foundry error; the rate limiter sends its JSON as text."""
    error = {"detail": refuses.detail, "title": refuses.title, "code": refuses.code}
    return Reply(
        refuses.status,
        json.dumps({"errors": [error]}).encode(),
        TEXT if refuses.status == 429 else JSON,
        {} if refuses.retry_after is None else {"Retry-After": str(refuses.retry_after)},
    )


def router_error(host: str) -> Reply:
    """What the gorouter says where it knows no route."""
    text = f"404 Not Found: Requested route ('{host}') does not exist.\n"
    return Reply(404, text.encode(), TEXT, {"X-Cf-RouterError": "unknown_route"})


def nginx_page(status: int, headers: Mapping[str, str] = {}) -> Reply:
    """A page for people, where a program expected JSON."""
    page = f"<html><head><title>{status}</title></head><body><center>nginx</center></body></html>"
    return Reply(status, page.encode(), HTML, headers)


def garbled() -> Reply:
    """A document that ends too early, under a length that is right."""
    return Reply(200, b'{"backups": [{"id": "3f0c", "created_')
