"""Answers that are packed, or say that they are."""

import gzip
import struct
import zlib

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import SILENT_MAX
from tests.faults.connections import floods
from tests.faults.fault import EMPTY, OLD, TEMPTING, YOUNG, Does, Fault, Group, http

_NOT_PACKED = "the answer could not be unpacked"
_TOO_LARGE = "the answer is larger than"
_NOT_JSON = "HTTP 200 with a body that is not JSON"


def _packed(body: bytes, encoding: str = "gzip") -> bytes:
    return http(body, 200, f"Content-Encoding: {encoding}")


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _bomb(megabytes: int) -> bytes:
    """So many million blanks, of which only one million is ever packed."""
    blanks = b" " * 10**6
    packer = zlib.compressobj(9, wbits=-15)
    # After a full flush nothing refers to what was before: the piece can follow itself.
    piece = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(blanks, checksum)
    size = megabytes * len(blanks)
    header = _gzip(b"")[:10]
    return header + piece * megabytes + packer.flush() + struct.pack("<II", checksum, size)


_BOMB = _bomb(200)


def _fault(
    name: str, *does: Does, says: str = "", verdict: Verdict = Verdict.UNKNOWN, keeps: bool = True
) -> Fault:
    return Fault(name=name, does=does, says=says, verdict=verdict, keeps=keeps)


_NOTHING = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 1000

_FLIPPED = bytearray(_gzip(YOUNG))
_FLIPPED[-6] ^= 1  # in its checksum

PACKING = Group(
    "Packed answers",
    "A list is proof however it is packed, if it comes out whole.",
    (
        _fault("gzip: a young list", _packed(_gzip(YOUNG)), verdict=Verdict.HEALTHY),
        _fault("gzip: an empty list", _packed(_gzip(EMPTY)), verdict=Verdict.NEVER_BACKED_UP),
        _fault("gzip, twice", _packed(_gzip(_gzip(YOUNG)), "gzip, gzip"), verdict=Verdict.HEALTHY),
        _fault(
            "deflate, with and without its frame",
            _packed(zlib.compress(YOUNG), "deflate"),
            _packed(_raw_deflate(YOUNG), "deflate"),
            verdict=Verdict.HEALTHY,
        ),
        _fault(
            "said to be packed, but plain",
            *(_packed(body, how) for body in TEMPTING for how in ("gzip", "deflate", "x-gzip")),
            says=_NOT_PACKED,
        ),
        _fault(
            "packed, but not said to be",
            *(http(_gzip(body)) for body in TEMPTING),
            says=_NOT_JSON,
        ),
        _fault(
            "gzip, packed once and said to be twice",
            *(_packed(_gzip(body), "gzip, gzip") for body in TEMPTING),
            says=_NOT_PACKED,
        ),
        _fault(
            "packed in a way that nobody knows",
            *(_packed(_gzip(body), "nonsense") for body in TEMPTING),
            says=_NOT_JSON,
        ),
        _fault(
            "packed fifty times over",
            *(_packed(body, ", ".join(["gzip"] * 50)) for body in TEMPTING),
            says=_NOT_PACKED,
        ),
        _fault("gzip with a wrong checksum", _packed(bytes(_FLIPPED)), says=_NOT_PACKED),
        _fault(
            "gzip that ends before the list does",
            *(_packed(_gzip(body)[:end]) for body in TEMPTING for end in (1, 10, 14, 20)),
        ),
        _fault(
            "gzip without its checksum, but with the whole list",
            _packed(_gzip(YOUNG)[:-8]),
            verdict=Verdict.HEALTHY,
        ),
        _fault(
            "gzip, then another list packed after it",
            *(_packed(_gzip(body) + _gzip(OLD)) for body in TEMPTING),
            says=_NOT_JSON,
        ),
        _fault(
            "a gzip bomb: 200 MB in 200 KB",
            _packed(_BOMB),
            says=_TOO_LARGE,
            keeps=False,
        ),
        _fault(
            "a gzip bomb within a gzip bomb: 200 MB in 1 KB",
            _packed(_gzip(_BOMB), "gzip, gzip"),
            says=_TOO_LARGE,
            keeps=False,
        ),
        Fault(
            name="gzip that unpacks to nothing, without end",
            does=(
                floods(http(_NOTHING, 200, "Content-Encoding: gzip", length=None), _EMPTY_BLOCKS),
            ),
            says="no whole answer in time",
            attempts=SILENT_MAX,
            read_timeout=0.1,
        ),
    ),
)
