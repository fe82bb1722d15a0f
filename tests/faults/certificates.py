"""Servers that do not prove who they are, or that do not get as far as TLS."""

import socket
import threading

from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX
from tests.faults.fault import EMPTY, YOUNG, Certificate, Channel, Fault, Group, Serve, http


def _certificate(name: str, certificate: Certificate, says: str) -> Fault:
    return Fault(
        name=name,
        does=(http(YOUNG), http(EMPTY)),
        says=f"TLS failed: certificate verify failed: {says}",
        channels=(Channel.TLS,),
        certificate=certificate,
    )


def _handshake(
    name: str, does: bytes | Serve, says: str, *, attempts: int = 1, connect_timeout: float = 20.0
) -> Fault:
    return Fault(
        name=name,
        does=(does,),
        says=says,
        attempts=attempts,
        channels=(Channel.TLS,),
        certificate=Certificate.NONE,
        connect_timeout=connect_timeout,
    )


def _answers_hello(*bits: bytes) -> Serve:
    """Read what the client begins with, and send bits so slowly that none is late by itself."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        pace = threading.Event()
        for bit in bits:
            pace.wait(0.01)
            connection.sendall(bit)
        while connection.recv(65536):
            pass

    return serve


def _closes(connection: socket.socket) -> None:
    connection.recv(65536)


_ALERT = b"\x15\x03\x03\x00\x02\x02"  # a fatal alert; its last byte says which
_PROTOCOL_VERSION, _HANDSHAKE_FAILURE = b"\x46", b"\x28"
_NO_HANDSHAKE = "TLS failed: no handshake"
_NO_CONNECTION = "no connection within the connect time-out"

CERTIFICATES = Group(
    "TLS",
    "The tests hold that the request, and the token in it, is not sent to whoever is not proved.",
    (
        _certificate("a certificate that expired", Certificate.EXPIRED, "certificate has expired"),
        _certificate(
            "a certificate that is not valid yet",
            Certificate.NOT_YET_VALID,
            "certificate is not yet valid",
        ),
        _certificate(
            "a self-signed certificate", Certificate.SELF_SIGNED, "self-signed certificate"
        ),
        _certificate(
            "a certificate for another name", Certificate.OTHER_NAME, "IP address mismatch"
        ),
        _certificate(
            "a certificate of another CA",
            Certificate.OTHER_CA,
            "unable to get local issuer certificate",
        ),
        _handshake("a server that speaks plain HTTP", _answers_hello(http(YOUNG)), _NO_HANDSHAKE),
        _handshake(
            "a server with no common version or cipher",
            _answers_hello(_ALERT + _PROTOCOL_VERSION),
            _NO_HANDSHAKE,
        ),
        _handshake(
            "a server that refuses the handshake",
            _answers_hello(_ALERT + _HANDSHAKE_FAILURE),
            _NO_HANDSHAKE,
        ),
        _handshake(
            "a server that closes the connection in the handshake",
            _closes,
            "the connection was closed in the handshake",
            attempts=ATTEMPTS_MAX,
        ),
        _handshake(
            "a server that says nothing in the handshake",
            _answers_hello(),
            _NO_CONNECTION,
            attempts=SILENT_MAX,
            connect_timeout=0.1,
        ),
        _handshake(
            "a handshake that drips",
            _answers_hello(b"\x16\x03\x03\x40\x00\x02", *[b"\x00"] * 2000),
            _NO_CONNECTION,
            attempts=SILENT_MAX,
            connect_timeout=0.1,
        ),
    ),
)
