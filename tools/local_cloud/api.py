"""The Cloud Controller's part of the API that an audit needs, without HTTP around it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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
from tools.local_cloud.replies import (
    Reply,
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
_NO_ROUTE = Refuses(404, 10000, "CF-NotFound", "Unknown request")


class SimulatedApi:
    """Root document, tokens, instances and their backups."""

    def __init__(
        self,
        instances: Iterable[SimulatedInstance],
        uaa: SimulatedUaa,
        sleep: Callable[[float], None],
    ) -> None:
        self._instances = {instance.guid: instance for instance in instances}
        self._uaa = uaa
        self._sleep = sleep
        self._lock = threading.Lock()
        self._listed: Counter[str] = Counter()

    @property
    def guids_asked_for(self) -> int:
        """Instances whose backups were asked for, each counted once."""
        with self._lock:
            return len(self._listed)

    def reply(self, request: Request) -> Reply | None:
        """The answer; None: the connection is closed without one."""
        match request.method, request.path.split("/")[1:]:
            case "GET", [""]:
                return json_reply(root_document(request.url))
            case "POST", ["oauth", "token"]:
                form = dict(parse_qsl(request.body.decode()))
                return self._uaa.grant(form, request.authorization)
            case "GET", ["v3", "service_instances", guid]:
                return self._turned_away(request) or self._instance(guid)
            case "GET", ["v3", "service_instances", guid, "backups"]:
                return self._turned_away(request) or self._backups(guid, request)
            case _:
                return refusal(_NO_ROUTE)

    def _turned_away(self, request: Request) -> Reply | None:
        scheme, _, token = (request.authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return refusal(_NOT_AUTHENTICATED)
        return None if self._uaa.knows(token) else refusal(INVALID_TOKEN)

    def _instance(self, guid: str) -> Reply:
        instance = self._instances.get(guid)
        if instance is None or instance.behaviour == NOT_FOUND:
            return refusal(NOT_FOUND)
        return json_reply(resource_document(instance))

    def _backups(self, guid: str, request: Request) -> Reply | None:
        faults = _query_faults(request.query)
        if faults:
            return refusal(Refuses(400, 10005, "CF-BadQueryParameter", faults))
        with self._lock:
            self._listed[guid] += 1
            times = self._listed[guid]
        if guid not in self._instances:
            return refusal(NOT_FOUND)
        limit = int(request.query["limit"]) if "limit" in request.query else None
        behaviour = _settled(self._instances[guid].behaviour, times)
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
        return (
            f"The query parameter is invalid: Unknown query parameter(s): {unknown}. "
            "Valid parameters are: 'limit'"
        )
    limit = query.get("limit", "1")
    if not (limit.isascii() and limit.isdigit() and int(limit) > 0):
        return "The query parameter is invalid: Limit must be greater than or equal to 1"
    return ""
