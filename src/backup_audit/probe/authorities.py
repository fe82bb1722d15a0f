"""The certificates of a private CA, out of the files that people keep them in."""

import base64
import re
import ssl
from collections.abc import Iterator

from backup_audit.errors import InvalidSettings

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 #]{1,40})-----")
_PLAIN = ("CERTIFICATE", "X509 CERTIFICATE")
_TRUSTED = "TRUSTED CERTIFICATE"  # OpenSSL's own form, with settings of its own behind


class _Unusable(Exception):
    """What is wrong with a certificate."""


def certificates_in(document: bytes) -> list[bytes]:
    """The certificates of a PEM or DER file, as DER; raise InvalidSettings with each bad one.

    Of PEM only the certificates are read: text around them may be in any encoding, the file in
    UTF-16 and with a byte order mark, and line feeds as JSON writes them.
    """
    text = document.replace(b"\0", b"").decode("latin-1")  # what is ASCII in UTF-16 is so then
    blocks = list(_blocks(text))
    certificates = [block for block in blocks if block[0] in (*_PLAIN, _TRUSTED)]
    if not certificates:
        return [_der(document, [label for label, _ in blocks])]
    found: list[bytes] = []
    faults: list[str] = []
    for number, (label, body) in enumerate(certificates, 1):
        try:
            found.append(_certificate(label, body))
        except _Unusable as why:
            faults.append(f"CA_BUNDLE: certificate {number} of {len(certificates)} {why}")
    if faults:
        raise InvalidSettings(faults)
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the label of each PEM block, and what stands between it and the next block."""
    begins = list(_BEGIN.finditer(text))
    for index, begin in enumerate(begins):
        end = begins[index + 1].start() if index + 1 < len(begins) else len(text)
        yield begin[1], text[begin.end() : end]


def _certificate(label: str, body: str) -> bytes:
    if label == _TRUSTED:
        raise _Unusable(
            "is a TRUSTED CERTIFICATE, which only OpenSSL reads: "
            "openssl x509 -in FILE -out FILE writes it as a CERTIFICATE"
        )
    base64_lines, end, _ = body.partition(f"-----END {label}-----")
    if not end:
        raise _Unusable("is cut off: its END line is missing")
    try:
        der = base64.b64decode(re.sub(r"\\[rn]|\s", "", base64_lines), validate=True)
    except ValueError:
        raise _Unusable("is damaged: copy it again") from None
    if not _is_certificate(der):
        raise _Unusable("is damaged: copy it again")
    return der


def _der(document: bytes, labels: list[str]) -> bytes:
    if labels:
        has = ", ".join(sorted(set(labels)))
        raise InvalidSettings([f"CA_BUNDLE holds no certificate: it has {has}"])
    if not _is_certificate(document):
        raise InvalidSettings(
            ["CA_BUNDLE holds no certificate, neither PEM (-----BEGIN CERTIFICATE-----) nor DER"]
        )
    return document


def _is_certificate(der: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError):
        return False
    return True
