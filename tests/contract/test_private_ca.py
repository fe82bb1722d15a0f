"""Private CAs as people have them: what is trusted of their certificates."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.doubles.http_client import at, client, got
from tests.doubles.stubborn_server import ANSWER, keeps_alive, listening

pytestmark = pytest.mark.loopback

BODY = ANSWER.partition(b"\r\n\r\n")[2]


def test_an_intermediate_ca_alone_is_trusted() -> None:
    intermediate = trustme.CA().create_child_ca()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    intermediate.issue_cert("127.0.0.1").configure_cert(tls)

    with (
        listening(keeps_alive, tls) as server,
        client(ca=intermediate.cert_pem.bytes()) as http,
    ):
        assert got(http, at(server.port, "https")) == BODY


def test_a_private_ca_need_not_have_what_public_ones_must(tmp_path: Path) -> None:
    """VERIFY_X509_STRICT demands the identifiers of keys, and what the CA's key is for."""
    key = ec.generate_private_key(ec.SECP256R1())
    is_ca = x509.BasicConstraints(ca=True, path_length=None)
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    (tmp_path / "server.pem").write_bytes(_private(key) + _signed("server", key, loopback))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")

    with (
        listening(keeps_alive, tls) as server,
        client(ca=_signed("CA", key, is_ca)) as http,
    ):
        assert got(http, at(server.port, "https")) == BODY


def _signed(subject: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
    """A certificate with one extension only, by the CA, whose key all have; PEM."""
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        issuer_name=_named("CA"),
        subject_name=_named(subject),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    ).add_extension(extension, critical=True)
    return certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
