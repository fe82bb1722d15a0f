"""The CA as people have it: what is read out of a file, and how it is said what is wrong."""

import codecs
import ssl
import textwrap

import pytest
import trustme

from backup_audit.errors import InvalidSettings
from backup_audit.probe.authorities import certificates_in

PEMS = [trustme.CA(organization_name=f"CA {number}").cert_pem.bytes() for number in range(3)]
DERS = [ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in PEMS]
PEM, DER = PEMS[0], DERS[0]
TEXT = PEM.decode()
KEY = b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n"


def faults_of(document: bytes) -> list[str]:
    with pytest.raises(InvalidSettings) as raised:
        certificates_in(document)
    return list(raised.value.faults)


@pytest.mark.parametrize(
    "document",
    [
        PEM,
        PEM.strip(),
        PEM.replace(b"\n", b"\r\n"),
        PEM.replace(b"\n", b"\r"),
        PEM.replace(b"\n", b"\\n"),
        textwrap.indent(TEXT, "    ").encode(),
        b"# CA\n" + PEM + b"# end\n",
        "# CA für Büro\n".encode() + PEM,
        "# CA für Büro\n".encode("latin-1") + PEM,
        "# 认证机构\n".encode("gb18030") + PEM,
        b"\xff\xfe\x00 bytes of nothing\n" + PEM,
        codecs.BOM_UTF8 + PEM,
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + f"# Büro\r\n{TEXT}".encode("utf-16-be"),
        KEY + PEM + KEY,
        PEM.replace(b"BEGIN CERT", b"BEGIN X509 CERT").replace(b"END CERT", b"END X509 CERT"),
        DER,
    ],
    ids=range(18),
)
def test_a_certificate_is_found_whatever_stands_around_it(document: bytes) -> None:
    assert certificates_in(document) == [DER]


def test_all_certificates_are_read_in_order() -> None:
    between = "\nSubject: CN=Büro\n".encode("latin-1")

    assert certificates_in(between.join([*PEMS, PEM])) == [*DERS, DER]


DAMAGED = PEM.replace(b"\nMII", b"\nMXX")
CUT_OFF = PEM[:300] + b"\n"
TRUSTED = PEM.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE")


IS_TRUSTED = (
    "is a TRUSTED CERTIFICATE, which only OpenSSL reads: "
    "openssl x509 -in FILE -out FILE writes it as a CERTIFICATE"
)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (DAMAGED, "is damaged: copy it again"),
        (PEM.replace(b"\nMII", b"\n*II"), "is damaged: copy it again"),
        (PEM.replace(b"\nMII", b"\n\xc3\xa4II"), "is damaged: copy it again"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "is damaged: copy it again"),
        (CUT_OFF, "is cut off: its END line is missing"),
        (TRUSTED, IS_TRUSTED),
    ],
    ids=["damaged", "no base64", "no ASCII", "empty", "cut off", "trusted"],
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_bad_one_among_good_ones_is_named_by_its_number(
    bad: bytes, said: str, number: int
) -> None:
    blocks = [PEMS[1], KEY, PEMS[2]]
    blocks.insert({1: 0, 2: 1, 3: 3}[number], bad)

    assert faults_of(b"".join(blocks)) == [f"CA_BUNDLE: certificate {number} of 3 {said}"]


def test_every_bad_one_is_named() -> None:
    assert [fault.split(" is ")[0] for fault in faults_of(DAMAGED + PEM + CUT_OFF + TRUSTED)] == [
        f"CA_BUNDLE: certificate {number} of 4" for number in (1, 3, 4)
    ]


@pytest.mark.parametrize(
    "document",
    [b"", b"nonsense", b"\xff\xfe", "Büro".encode(), DER[:-1], b"0\x82", codecs.BOM_UTF8, b"\0"],
)
def test_what_holds_no_certificate_is_said_to_hold_none(document: bytes) -> None:
    assert faults_of(document) == [
        "CA_BUNDLE holds no certificate, neither PEM (-----BEGIN CERTIFICATE-----) nor DER"
    ]


def test_other_blocks_are_named() -> None:
    request = KEY.replace(b"PRIVATE KEY", b"CERTIFICATE REQUEST")

    assert faults_of(KEY + request + KEY) == [
        "CA_BUNDLE holds no certificate: it has CERTIFICATE REQUEST, PRIVATE KEY"
    ]
