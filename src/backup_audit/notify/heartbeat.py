"""Pings an external dead man's switch after each full run that reached every instance."""

import threading

import msgspec

from backup_audit.errors import HeartbeatFailed
from backup_audit.judge.evidence import TOO_SLOW
from backup_audit.probe.authorization import Secret
from backup_audit.probe.http import HttpClient, NoReply
from backup_audit.probe.session import new_session

# Seconds. The report is committed and sent by now, and Lambda's time may be nearly over.
_CONNECT_TIMEOUT = 3.0
_ANSWER_TIMEOUT = 5.0


class HttpHeartbeat(msgspec.Struct, frozen=True):
    """One GET, over a session of its own: without our token, and without the API's private CA.

    The address holds a key, so no error quotes it. `proxy` is an http:// address. `answer_timeout`
    is the seconds for the whole answer, however slowly it drips.
    """

    url: Secret
    proxy: str | None = None
    answer_timeout: float = _ANSWER_TIMEOUT

    def beat(self) -> None:
        with new_session(None) as session:
            http = HttpClient(
                session,
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=self.answer_timeout,
                proxy=self.proxy,
            )
            failures: list[str | None] = []
            asking = threading.Thread(target=self._ask, args=(http, failures), daemon=True)
            asking.start()
            asking.join(_CONNECT_TIMEOUT + self.answer_timeout)
            http.cut_all()
        failure = failures[0] if failures else TOO_SLOW.detail
        if failure:
            raise HeartbeatFailed(failure)

    def _ask(self, http: HttpClient, failures: list[str | None]) -> None:
        """Ask, and add why the heartbeat was not taken, or None."""
        try:
            with http.get(self.url.reveal()) as reply:
                taken = 200 <= reply.status < 300
                failures.append(None if taken else f"the answer was HTTP {reply.status}")
        except NoReply as none:
            failures.append(none.silence.detail)
