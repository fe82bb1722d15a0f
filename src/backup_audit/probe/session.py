"""One requests Session for all workers, with one TLS context, whose connections can be cut.

The adapter, the pool, proxies and time-outs are requests' and urllib3's. A socket's time-out
begins anew with each byte. So each thread notes which connection it waits for, and until when; the
engine cuts requests that are over.
"""

import contextlib
import functools
import logging
import math
import socket
import ssl
import threading
import time
from typing import Any, Self

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from backup_audit import __version__
from backup_audit.probe.authorities import certificates_in

# Below ERROR it quotes addresses, with the heartbeat's key, and headers that it cannot parse, in
# which a server may repeat our token.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# No "cf/x.y.z" in it: the Cloud Controller warns clients that look like an old cf CLI.
USER_AGENT = f"backup-audit/{__version__}"
_HUNG_AFTER = 1.0  # seconds after the cut; a thread that still hangs then is not to be waited for
_STEPS = 3  # of connecting, each with its own time-out: to a host, a proxy's answer, TLS


class Exchange:
    """A request of one thread: the connection it waits for, and until when (monotonic seconds).

    A context, for the thread's connections.
    """

    def __init__(self, connect_timeout: float, read_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._connection: HTTPConnection | None = None
        self._sock: socket.socket | None = None
        self._rest: socket.socket | None = None
        self._place: threading.BoundedSemaphore | None = None
        self._leaving = threading.Lock()
        self._has_left = False
        self.thread = threading.get_ident()
        self.until = math.inf
        self.is_cut = False
        self.is_connected = False
        self.is_reused = True  # until a connection is made
        self.is_answered = False

    def __enter__(self) -> Self:
        _OWN.exchange = self
        return self

    def __exit__(self, *_: object) -> None:
        """End the wait: another may have the connection, and the place, from now on."""
        _OWN.exchange = None
        with self._leaving:
            self._has_left = True
        if self._rest is not None:
            self._rest.close()
        if self._place is not None:
            self._place.release()

    def connects(self, connection: HTTPConnection) -> None:
        """Note a connection that is being made; raise TimeoutError if the request was cut."""
        self._connection = connection
        self._sock = None
        self.is_connected = self.is_reused = False
        self._go_on(_STEPS * self._connect_timeout)

    def asks(self, connection: HTTPConnection) -> None:
        """Note the wait for an answer; raise TimeoutError if it was cut without a connection."""
        self._connection = connection
        self._sock = connection.sock  # http.client forgets it where the answer ends with it
        self.is_connected = True
        self._go_on(self._read_timeout)

    def take(self, place: threading.BoundedSemaphore) -> None:
        """Take a place until the end; its time begins anew once it is there."""
        self.until = math.inf
        place.acquire()
        self._place = place
        self.until = time.monotonic() + self._read_timeout

    def drop(self) -> None:
        """Close the connection: the rest of an answer may still come on it."""
        if self._connection is not None:
            self._connection.close()

    def cut(self) -> None:
        """End the connection under the thread that waits for it.

        Shutting it down is not enough while data keeps coming: the thread's socket loses its
        descriptor too. That is closed once the thread has left, so nobody else gets its number.
        """
        with self._leaving:
            if self._has_left:
                return
            self.is_cut = True
            sock = self._sock or (self._connection.sock if self._connection else None)
            descriptor = socket.socket.detach(sock) if sock is not None else -1
            if descriptor >= 0:
                self._rest = socket.socket(fileno=descriptor)
                with contextlib.suppress(OSError):  # the other side was faster
                    self._rest.shutdown(socket.SHUT_RDWR)

    def is_hung(self, now: float) -> bool:
        """Whether its thread should have come back from the cut by now."""
        return now >= self.until + _HUNG_AFTER

    def _go_on(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        if self.is_cut:
            raise TimeoutError


_OWN = threading.local()


class _Watched(HTTPConnection):
    """Notes in the thread's exchange what the thread waits for."""

    def connect(self) -> None:
        _OWN.exchange.connects(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # urllib3's own
        if self.is_closed:
            self.connect()
        _OWN.exchange.asks(self)
        super().request(*args, **kwargs)

    @property
    def is_connected(self) -> bool:
        """Whether it can be used again: not if decrypted bytes of an answer are left."""
        rest = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        return super().is_connected and not rest


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    """requests' adapter with one TLS context for all connections."""

    def __init__(self, tls: ssl.SSLContext, size: int) -> None:
        self._tls = tls
        self._pools: dict[str, HTTPConnectionPool] = {}
        super().__init__(pool_maxsize=size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:  # noqa: ANN401
        manager: PoolManager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        return manager

    def close(self) -> None:
        """Close connections now; an old exception may keep a pool alive."""
        for pool in self._pools.values():
            pool.close()
        super().close()

    def cert_verify(self, *_: object, **__: object) -> None:
        """Do nothing: the context has the CAs. requests would read its own each time."""

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> HTTPConnectionPool:
        """The pool of a host, kept: looking it up would take 5 % of a request's CPU time."""
        host = "/".join((request.url or "").split("/", 3)[:3])
        if host not in self._pools:
            pool: Any = super().get_connection_with_tls_context(request, *args, **kwargs)
            pool.ConnectionCls = _WatchedTls if pool.scheme == "https" else _Watched
            self._pools[host] = pool
        return self._pools[host]

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002  # requests' own
        """The path alone: requests through a proxy are https, in a tunnel."""
        return request.path_url

    def build_response(
        self, _: requests.PreparedRequest, raw: BaseHTTPResponse
    ) -> requests.Response:
        """What we read of an answer; to look for cookies too would take 5 % of the CPU time."""
        response = requests.Response()
        response.status_code = raw.status
        response.raw = raw
        return response


def new_session(ca: bytes | None, *, size: int = 1) -> requests.Session:
    """One Session for all workers, with at most `size` connections kept.

    `trust_env` is off: ~/.netrc would replace our token, REQUESTS_CA_BUNDLE our CA, HTTPS_PROXY
    our proxy. `ca`, a file with certificates, replaces the public CAs; raises InvalidSettings,
    which calls it CA_BUNDLE.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    del session.headers["Connection"]  # HTTP/1.1 keeps connections without being asked
    adapter = _Adapter(_tls_context(ca), size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # loopback only: settings.py ensures it
    return session


@functools.cache
def _tls_context(ca: bytes | None) -> ssl.SSLContext:
    """One for all connections, kept while the function is warm: reading CAs takes 25 ms of CPU."""
    if ca is None:
        return ssl.create_default_context(cafile=certifi.where())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate and its name
    # An intermediate CA is enough, as for Go, and so for the cf CLI. VERIFY_X509_STRICT stays off,
    # unlike in Python's own default since 3.13: many private CAs lack what it demands.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=b"".join(certificates_in(ca)))
    return context
