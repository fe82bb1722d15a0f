"""The heartbeat: pings an external dead man's switch after each completed full run."""

import logging
import threading
from queue import Empty, SimpleQueue

import requests

from backup_audit.errors import HeartbeatFailed
from backup_audit.probe.credentials import Secret
from backup_audit.probe.session import USER_AGENT

# Below ERROR it logs addresses, and the path of this one is a secret.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# Seconds. The report is committed, the messages are out, and Lambda's time may be nearly over.
_CONNECT_TIMEOUT = 3.0
_ANSWER_TIMEOUT = 5.0


class HttpHeartbeat:
    """One GET, over a session of its own: without our token, and without the API's private CA.

    The address holds a key, so it stands in no error. `proxy` is an http:// address, the time-out
    seconds for the answer.
    """

    def __init__(
        self, url: Secret, proxy: str | None = None, *, answer_timeout: float = _ANSWER_TIMEOUT
    ) -> None:
        self._url = url
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._answer_timeout = answer_timeout

    def beat(self) -> None:
        """Say that a full run is completed; raise HeartbeatFailed.

        In a thread, which is left behind if it takes too long: name resolution, and an answer that
        drips, know no time-out.
        """
        outcome: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=lambda: outcome.put(self._failure()), daemon=True).start()
        try:
            failure = outcome.get(timeout=_CONNECT_TIMEOUT + self._answer_timeout)
        except Empty:
            failure = "no whole answer in time"
        if failure:
            raise HeartbeatFailed(failure)

    def _failure(self) -> str | None:
        """What went wrong, in words of our own: others' may quote the address."""
        try:
            status = self._status()
        except requests.Timeout:
            return "no whole answer in time"
        except requests.exceptions.ProxyError:
            return "the proxy refuses or does not answer"
        except requests.exceptions.SSLError:
            return "no TLS connection: check the certificate"
        except requests.ConnectionError:
            return "no connection: refused or unreachable, or it broke off"
        except (requests.RequestException, ValueError) as error:
            return type(error).__name__
        return None if 200 <= status < 300 else f"the answer was HTTP {status}"

    def _status(self) -> int:
        with requests.Session() as session:
            session.trust_env = False  # or ~/.netrc would give a password away
            session.headers["User-Agent"] = USER_AGENT
            with session.get(
                self._url.reveal(),
                allow_redirects=False,
                proxies=self._proxies,
                stream=True,  # nobody reads the body
                timeout=(_CONNECT_TIMEOUT, self._answer_timeout),
            ) as answer:
                return answer.status_code
