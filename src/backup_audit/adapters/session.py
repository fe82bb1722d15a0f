"""One requests Session for all workers, with one TLS context."""

import ssl

import certifi
import requests
from requests.adapters import HTTPAdapter

from backup_audit import __version__
from backup_audit.errors import InvalidSettings

# No "cf/x.y.z" in it: the Cloud Controller warns clients that look like an old cf CLI.
USER_AGENT = f"backup-audit/{__version__}"


def new_session(workers: int, ca_pem: str | None) -> requests.Session:
    """One Session for all workers.

    `trust_env` is off: ~/.netrc would replace our token and REQUESTS_CA_BUNDLE our CA. `ca_pem`
    replaces the public CAs; raises InvalidSettings if it holds no certificate.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    session.mount("https://", _OneContextAdapter(_tls_context(ca_pem), workers))
    session.mount("http://", HTTPAdapter(pool_maxsize=workers))
    return session


class _OneContextAdapter(HTTPAdapter):
    """Shares one TLS context among all connections.

    Stock requests reads the CA bundle again for each new connection, 22 to 31 ms of CPU a time.
    The bundle must not be named anywhere else, or urllib3 would load it again.
    """

    def __init__(self, context: ssl.SSLContext, pool_size: int) -> None:
        self._context = context
        super().__init__(pool_maxsize=pool_size)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)  # type: ignore[arg-type]

    def build_connection_pool_key_attributes(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        host, _ = super().build_connection_pool_key_attributes(*args, **kwargs)  # type: ignore[arg-type]
        return host, {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: object, *_: object) -> None:
        """Leave verification to the context, which always demands it."""


def _tls_context(ca_pem: str | None) -> ssl.SSLContext:
    if ca_pem is None:
        return ssl.create_default_context(cafile=certifi.where())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate and its name
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError):
        raise InvalidSettings(["CA_BUNDLE holds no PEM certificate"]) from None
    return context
