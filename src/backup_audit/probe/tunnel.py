"""The way through a proxy: a tunnel for TLS, asked for with CONNECT.

What goes wrong here is the proxy's doing, and said so: a ProxyError, of requests.
"""

import http.client
import socket
import ssl

import requests
from requests.exceptions import ProxyError
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from backup_audit.probe.watchdog import Watchdog
from backup_audit.text import one_line

_WORDS_MAX = 200  # characters of a proxy's reason phrase
_REFUSED = "Tunnel connection failed: "  # what http.client puts before status and reason phrase


class ProxyTimeout(ProxyError, requests.ConnectTimeout):
    """The proxy took too long."""


class TunnelledConnection(HTTPSConnection):
    """A connection to a host behind a proxy.

    `answer_timeout` is seconds, for the proxy's whole answer to CONNECT. The methods are not public
    ones: `_new_conn` is where urllib3's own SOCKS connections hook in, `_tunnel` is http.client's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext,
        watchdog: Watchdog,
        answer_timeout: float,
    ) -> None:
        super().__init__(host, port, ssl_context=tls)
        self._watchdog = watchdog
        self._answer_timeout = answer_timeout

    def _new_conn(self) -> socket.socket:
        try:
            return super()._new_conn()
        except NameResolutionError as error:
            raise ProxyError("the proxy's host name is not known") from error
        except NewConnectionError as error:
            raise ProxyError("the proxy is not there: refused or unreachable") from error
        except ConnectTimeoutError as error:
            raise ProxyTimeout(
                "the proxy took no connection within the connect time-out"
            ) from error

    def _tunnel(self) -> None:
        # The socket's time-out starts anew with every byte.
        with self._watchdog.watching(self.sock, self._answer_timeout) as watch:
            try:
                super()._tunnel()
            except (OSError, http.client.HTTPException) as error:
                if not watch.over and not isinstance(error, TimeoutError):
                    raise ProxyError(_reason(error)) from error
                watch.over = True
        if watch.over:  # http.client takes an end within the headers for the end of the answer
            raise ProxyTimeout("the proxy gave no whole answer within the connect time-out")


def _reason(error: Exception) -> str:
    match error:
        case OSError() if str(error).startswith(_REFUSED):
            status, _, words = str(error).removeprefix(_REFUSED).partition(" ")
            said = f', "{one_line(words, _WORDS_MAX)}"' if words else ""
            return f"the proxy refuses: HTTP {status}{said}"
        case OSError():
            return "the proxy closed the connection without an answer"
        case _:
            return "the proxy's answer is not HTTP"
