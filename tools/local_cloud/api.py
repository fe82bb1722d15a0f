"""The Cloud Controller's part of the API that an audit needs, without HTTP around it."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import assert_never
from urllib.parse import parse_qsl

from tools.local_cloud.behaviours import (
    INVALID_TOKEN,
    NOT_FOUND,
    Backups,
    Behaviour,
    Closes,
    FlakyThen,
    Garbled,
    Hangs,
    Html,
    Refuses,
    RouterError,
    SimulatedInstance,
)
from tools.local_cloud.instance_table import InstanceTable
from tools.local_cloud.listing import included, list_document
from tools.local_cloud.query import NO_MAXIMUM, BadQuery, parse_fields, parse_list_query
from tools.local_cloud.replies import (
    Reply,
    compact_reply,
    garbled,
    json_reply,
    nginx_page,
    refusal,
    router_error,
)
from tools.local_cloud.request import Request
from tools.local_cloud.resources import backup_document, resource_document, root_document
from tools.local_cloud.uaa import SimulatedUaa

_AtOnce = Backups | Refuses | RouterError | Html | Garbled | Closes

_NOT_AUTHENTICATED = Refuses(401, 10002, "CF-NotAuthenticated", "Authentication error")
_NOT_AUTHORIZED = Refuses(
    403, 10003, "CF-NotAuthorized", "You are not authorized to perform the requested action"
)
_NO_ROUTE = Refuses(404, 10000, "CF-NotFound", "Unknown request")
_UNKNOWN_ERROR = Refuses(500, 10001, "UnknownError", "An unknown error occurred.")
_REQUEST_LINE_MAX = 8_192  # bytes, with CR and LF: one of nginx's large_client_header_buffers

# Is given the instances before each request for a page of them, to change them.
Meanwhile = Callable[[InstanceTable], None]


class SimulatedApi:
    """Root document, tokens, instances, lists of them and their backups.

    `external_url` is the address in links: a host that nobody need reach, as behind a proxy.
    """

    def __init__(
        self,
        instances: InstanceTable,
        uaa: SimulatedUaa,
        sleep: Callable[[float], None],
        *,
        external_url: str,
        max_total_results: int = NO_MAXIMUM,
        meanwhile: Meanwhile = lambda _: None,
    ) -> None:
        self._instances = instances
        self._uaa = uaa
        self._sleep = sleep
        self._external_url = external_url
        self._max_total_results = max_total_results
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._listed: Counter[str] = Counter()

    @property
    def guids_asked_for(self) -> int:
        """Instances whose backups were asked for, each counted once."""
        with self._lock:
            return len(self._listed)

    def reply(self, request: Request) -> Reply | None:
        """The answer; None: the connection is closed without one."""
        if len(request.line) > _REQUEST_LINE_MAX:
            return nginx_page(414, {"Connection": "close"})
        return self._routed(request)

    def _routed(self, request: Request) -> Reply | None:
        match request.method, request.path.split("/")[1:]:
            case "GET", [""]:
                return json_reply(root_document(request.url))
            case "POST", ["oauth", "token"]:
                form = dict(parse_qsl(request.body.decode()))
                return self._uaa.grant(form, request.authorization)
            case "GET", ["v3", "service_instances"]:
                return self._turned_away(request) or self._list(request.query)
            case "GET", ["v3", "service_instances", guid]:
                return self._turned_away(request) or self._instance(guid, request.query)
            case "GET", ["v3", "service_instances", guid, "backups"]:
                return self._turned_away(request) or self._backups(guid, request)
            case _:
                return refusal(_NO_ROUTE)

    def _turned_away(self, request: Request) -> Reply | None:
        scheme, _, token = (request.authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return refusal(_NOT_AUTHENTICATED)
        if not self._uaa.knows(token) or not self._uaa.role.is_known:
            return refusal(INVALID_TOKEN)
        return None if self._uaa.role.may_read else refusal(_NOT_AUTHORIZED)

    def _list(self, query: Mapping[str, str]) -> Reply:
        self._meanwhile(self._instances)
        try:
            wanted = parse_list_query(query, self._max_total_results)
        except BadQuery as bad:
            return refusal(_bad_query(str(bad)))
        except ValueError:
            return refusal(_UNKNOWN_ERROR)
        role = self._uaa.role
        page = self._instances.page(wanted, role)
        return compact_reply(list_document(page, wanted, role, self._external_url))

    def _visible(self, guid: str) -> SimulatedInstance | None:
        instance = self._instances.get(guid)
        return instance if instance and self._uaa.role.sees(instance) else None

    def _instance(self, guid: str, query: Mapping[str, str]) -> Reply:
        instance = self._visible(guid)
        if instance is None:
            return refusal(NOT_FOUND)
        try:
            fields = parse_fields(query)
        except BadQuery as bad:
            return refusal(_bad_query(str(bad)))
        document = resource_document(instance, self._external_url)
        return json_reply(document | included([instance], fields, self._uaa.role))

    def _backups(self, guid: str, request: Request) -> Reply | None:
        faults = _query_faults(request.query)
        if faults:
            return refusal(_bad_query(faults))
        with self._lock:
            self._listed[guid] += 1
            times = self._listed[guid]
        instance = self._visible(guid)
        if instance is None:
            return refusal(NOT_FOUND)
        if not self._uaa.role.reads_space(instance.space):
            return refusal(_NOT_AUTHORIZED)  # shared into a space of ours, as with its parameters
        limit = int(request.query["limit"]) if "limit" in request.query else None
        behaviour = _settled(instance.behaviour, times)
        if isinstance(behaviour, Hangs):
            self._sleep(behaviour.seconds)
            behaviour = behaviour.then
        return _acted(behaviour, guid, limit, request.host)


def _acted(behaviour: _AtOnce, guid: str, limit: int | None, host: str) -> Reply | None:
    match behaviour:
        case Backups(created_at=created_at, by_default=by_default):
            # Nothing promises that the newest come first, so a limit may cut them off.
            return json_reply(
                {
                    "backups": [
                        backup_document(guid, raw) for raw in created_at[: limit or by_default]
                    ]
                }
            )
        case Refuses():
            return refusal(behaviour)
        case RouterError():
            return router_error(host)
        case Html(status=status):
            return nginx_page(status)
        case Garbled():
            return garbled()
        case Closes():
            return None
        case _ as unreachable:
            assert_never(unreachable)


def _settled(behaviour: Behaviour, times: int) -> _AtOnce | Hangs:
    """What a flaky instance does at the nth time it is asked, from 1."""
    if isinstance(behaviour, FlakyThen):
        return behaviour.first if times <= behaviour.times else behaviour.then
    return behaviour


def _query_faults(query: Mapping[str, str]) -> str:
    unknown = ", ".join(f"'{name}'" for name in query if name != "limit")
    if unknown:
        return f"Unknown query parameter(s): {unknown}. Valid parameters are: 'limit'"
    limit = query.get("limit", "1")
    if not (limit.isascii() and limit.isdigit() and int(limit) > 0):
        return "Limit must be greater than or equal to 1"
    return ""


def _bad_query(faults: str) -> Refuses:
    detail = f"The query parameter is invalid: {faults}"
    return Refuses(400, 10005, "CF-BadQueryParameter", detail)
