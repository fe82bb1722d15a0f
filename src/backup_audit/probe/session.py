"""One requests Session for all workers, with one TLS context."""

import functools
import ssl
from collections.abc import Iterator

import certifi
import requests

from backup_audit import __version__
from backup_audit.errors import InvalidSettings
from backup_audit.probe.transport import WorkerTransport

# No "cf/x.y.z" in it: the Cloud Controller warns clients that look like an old cf CLI.
USER_AGENT = f"backup-audit/{__version__}"
BODY_MAX = 4 * 1024 * 1024  # bytes; about 50,000 backups


class _NoRedirects(requests.Session):
    """Follows no redirect: it would carry the token elsewhere."""

    def resolve_redirects(self, *_: object, **__: object) -> Iterator[requests.Response]:
        """There are none to follow; a 3xx is an answer like any other."""
        return iter(())


def new_session(
    ca_pem: str | None,
    *,
    connect_timeout: float,
    read_timeout: float,
    proxy: str | None = None,
) -> requests.Session:
    """One Session for all workers.

    `trust_env` is off: ~/.netrc would replace our token, REQUESTS_CA_BUNDLE our CA, HTTPS_PROXY
    our proxy. `ca_pem` replaces the public CAs; raises InvalidSettings if it holds no certificate.
    Time-outs are seconds: to connect, and for a whole answer.
    """
    session = _NoRedirects()
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    del session.headers["Connection"]  # HTTP/1.1 keeps connections without being asked
    transport = WorkerTransport(
        _tls_context(ca_pem),
        connect_timeout=connect_timeout,
        answer_timeout=read_timeout,
        body_max=BODY_MAX,
        proxy=proxy,
    )
    session.mount("https://", transport)
    session.mount("http://", transport)  # loopback only: settings.py holds that
    return session


@functools.cache
def _tls_context(ca_pem: str | None) -> ssl.SSLContext:
    """One for all connections, kept while the function is warm: reading CAs takes 25 ms of CPU."""
    if ca_pem is None:
        return ssl.create_default_context(cafile=certifi.where())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate and its name
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError):
        raise InvalidSettings(["CA_BUNDLE holds no PEM certificate"]) from None
    return context
