"""The heartbeat: asks for an address of an external dead-man's switch, once a completed run."""

import requests

from backup_audit.errors import HeartbeatFailed
from backup_audit.probe.credentials import Secret
from backup_audit.probe.session import new_session

# Seconds. The report is committed and told by now, and Lambda's time may be nearly over.
_CONNECT_TIMEOUT = 3.0
_ANSWER_TIMEOUT = 5.0


class HttpHeartbeat:
    """One GET, over a session of its own: without our token, and without the API's private CA.

    The address holds a key, so it stands in no error. `proxy` is an http:// address, the time-out
    seconds for the whole answer.
    """

    def __init__(
        self, url: Secret, proxy: str | None = None, *, answer_timeout: float = _ANSWER_TIMEOUT
    ) -> None:
        self._url = url
        self._proxy = proxy
        self._answer_timeout = answer_timeout

    def beat(self) -> None:
        """Say that a full run is completed; raise HeartbeatFailed."""
        try:
            status = self._get().status_code
        except (requests.ConnectionError, requests.Timeout) as error:  # in our transport's words
            raise HeartbeatFailed(str(error)) from None
        except requests.RequestException as error:  # in words that may quote the address
            raise HeartbeatFailed(type(error).__name__) from None
        if not 200 <= status < 300:
            raise HeartbeatFailed(f"the answer was HTTP {status}")

    def _get(self) -> requests.Response:
        with new_session(
            None,
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=self._answer_timeout,
            proxy=self._proxy,
        ) as session:
            return session.get(self._url.reveal())
