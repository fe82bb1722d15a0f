"""A foundation on a loopback port: Cloud Controller and UAA under one address."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from tests.local_cloud.api import SimulatedApi
from tests.local_cloud.behaviours import SimulatedInstance
from tests.local_cloud.replies import Reply
from tests.local_cloud.request import Request
from tests.local_cloud.server import ApiServer
from tests.local_cloud.uaa import SimulatedUaa

CLIENT_ID = "backup-audit"
CLIENT_SECRET = "local-only"


class SimulatedCloudController:
    """Serves while it is entered; `latency` (seconds) delays answers about instances."""

    def __init__(
        self,
        instances: Iterable[SimulatedInstance] = (),
        *,
        latency: float = 0.0,
        clients: Mapping[str, str] | None = None,
        token_lifetime: float = 1200.0,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        known = {CLIENT_ID: CLIENT_SECRET} if clients is None else clients
        self._uaa = SimulatedUaa(known, lifetime=token_lifetime, monotonic=monotonic)
        self._api = SimulatedApi(instances, self._uaa)
        self._latency = latency
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
        if self._latency and request.path.startswith("/v3/"):
            self._sleep(self._latency)
        return self._api.reply(request)
