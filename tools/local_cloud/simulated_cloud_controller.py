"""A foundation on a loopback port: Cloud Controller and UAA under one address."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from tools.local_cloud.api import Meanwhile, SimulatedApi
from tools.local_cloud.behaviours import Refuses, SimulatedInstance
from tools.local_cloud.instance_table import InstanceTable
from tools.local_cloud.query import NO_MAXIMUM
from tools.local_cloud.replies import Reply, refusal
from tools.local_cloud.request import Request
from tools.local_cloud.roles import GLOBAL_AUDITOR, Role
from tools.local_cloud.server import ApiServer
from tools.local_cloud.uaa import SimulatedUaa
from tools.local_cloud.weather import Moment, Stalls, Weather, fair

CLIENT_ID = "backup-audit"
CLIENT_SECRET = "local-only"
EXTERNAL_URL = "https://api.foundation.test"  # of the links


class SimulatedCloudController:
    """Serves while it is entered.

    `latency` (seconds) delays answers about instances, and `weather` may put something else in
    their place. `meanwhile` may change the instances before each request for a page of them.
    `max_total_results` is how deep pages go.
    """

    def __init__(
        self,
        instances: Iterable[SimulatedInstance] = (),
        *,
        latency: float = 0.0,
        weather: Weather = fair,
        clients: Mapping[str, str] | None = None,
        role: Role = GLOBAL_AUDITOR,
        external_url: str = EXTERNAL_URL,
        max_total_results: int = NO_MAXIMUM,
        meanwhile: Meanwhile = lambda _: None,
        token_lifetime: float = 1200.0,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        known = {CLIENT_ID: CLIENT_SECRET} if clients is None else clients
        self._uaa = SimulatedUaa(known, role, lifetime=token_lifetime, monotonic=monotonic)
        self.instances = InstanceTable(instances)
        self._api = SimulatedApi(
            self.instances,
            self._uaa,
            sleep,
            external_url=external_url,
            max_total_results=max_total_results,
            meanwhile=meanwhile,
        )
        self._latency = latency
        self._weather = weather
        self._monotonic = monotonic
        self._began: float | None = None
        self._asked = 0
        self._at_once = 0
        self._sleep = sleep
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._unauthorized: list[str] = []
        self._server = ApiServer(self._reply, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return self._server.url

    @property
    def requests(self) -> Counter[str]:
        """Requests so far by path, the query left out."""
        with self._lock:
            return self._requests.copy()

    @property
    def without_authorization(self) -> list[str]:
        """The paths that were asked for without an Authorization header, in order."""
        with self._lock:
            return list(self._unauthorized)

    @property
    def guids_asked_for(self) -> int:
        """Instances whose backups were asked for, each counted once."""
        return self._api.guids_asked_for

    @property
    def role(self) -> Role:
        """What clients see from now on."""
        return self._uaa.role

    @role.setter
    def role(self, role: Role) -> None:
        self._uaa.role = role

    @property
    def tokens(self) -> list[str]:
        """Every token given so far and not revoked."""
        return self._uaa.tokens

    def revoke_tokens(self) -> None:
        """Forget every token given so far."""
        self._uaa.revoke_tokens()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _reply(self, request: Request) -> Reply | None:
        with self._lock:
            self._requests[request.path] += 1
            if request.authorization is None:
                self._unauthorized.append(request.path)
        if not request.path.startswith("/v3/"):
            return self._api.reply(request)
        met = self._weather(self._arrived())
        if isinstance(met, Refuses):
            self._left()  # a refusal takes no time, and no place
            return refusal(met)
        try:
            self._sleep(met.seconds if isinstance(met, Stalls) else self._latency)
            return self._api.reply(request) if met is None else None
        finally:
            self._left()

    def _arrived(self) -> Moment:
        with self._lock:
            now = self._monotonic()
            self._began = now if self._began is None else self._began
            self._asked += 1
            self._at_once += 1
            return Moment(self._asked, self._at_once, now - self._began)

    def _left(self) -> None:
        with self._lock:
            self._at_once -= 1
