"""The rows of the problems: as values for the table, as JSON for the script, as a packed block."""

import base64
import zlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from backup_audit.fleet.mutes import Mute
from backup_audit.judge.advice import check_command, check_command_of, next_step_of
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page.words import (
    CHANGES,
    VERDICTS,
    dated,
    duration,
    foreign,
    machine_time,
    place_of,
    service_of,
)
from backup_audit.text import at, printable

REAL_ROWS = 500  # in HTML: all of the table that is there without the script

COLUMNS = (
    *("guid", "name", "owner", "org", "space", "offering", "plan", "verdict", "change", "muted"),
    *("reason", "newest_at", "age", "max_age", "max_age_source", "count", "min_backups", "since"),
    *("opened_at", "observed_at", "http", "code", "title", "request_id", "step", "command"),
    *("hidden", "usual", "deleting"),
)
"""What the script gets of each instance that is not healthy, in this order."""

_encode = msgspec.json.Encoder().encode


class Steps:
    """The next steps of findings, each once: there are few, and rows name them by their index."""

    def __init__(self) -> None:
        self._index: dict[tuple[str, ...], int] = {}

    def index_of(self, finding: Finding) -> int:
        return self._index.setdefault(next_step_of(finding), len(self._index))

    def all(self) -> list[tuple[str, ...]]:
        """The steps in the order of their indexes."""
        return list(self._index)


class RowMaker:
    """Makes rows. In a first run nothing is new: `is_first` leaves changes out."""

    def __init__(self, *, is_first: bool) -> None:
        self._is_first = is_first
        self.steps = Steps()

    def change_of(self, finding: Finding) -> Change | None:
        """What is shown to have changed."""
        return None if self._is_first else finding.change

    def values(self, finding: Finding, *, is_real: bool) -> tuple[object, ...]:
        """A row as the script gets it: texts, numbers, times in RFC 3339, seconds.

        Unless it is among the first, `is_real`, it has a request id only where the API gave no
        list: in a large block these take a third of the room, and a list is its own evidence.
        """
        evidence, policy, hidden = finding.evidence, finding.policy, finding.hidden
        request_id = evidence.request_id if is_real or evidence.backup_count is None else None
        return (
            finding.guid,
            _shown(finding.name),
            _shown(finding.owner),
            _shown(finding.org),
            _shown(finding.space),
            _shown(finding.offering),
            _shown(finding.plan),
            finding.verdict,
            self.change_of(finding),
            _muted(finding.mute),
            _shown(finding.reason),
            evidence.newest_backup_at,
            evidence.newest_backup_age_seconds,
            policy.max_age_seconds,
            policy.max_age_source,
            evidence.backup_count,
            policy.min_backups,
            finding.since,
            finding.opened_at,
            evidence.observed_at,
            evidence.http_status,
            evidence.code,
            _shown(evidence.title),
            _shown(request_id),
            self.steps.index_of(finding),
            int(check_command_of(finding) is not None),
            (hidden.verdict, hidden.since) if hidden else None,
            evidence.usual_interval_seconds,
            1 if finding.is_being_deleted else None,
        )

    def row(self, finding: Finding) -> "Row":
        """A row as the table shows it."""
        change = self.change_of(finding)
        evidence, policy, hidden = finding.evidence, finding.policy, finding.hidden
        code, usual = evidence.code, evidence.usual_interval_seconds
        age = evidence.newest_backup_age_seconds
        return Row(
            guid=finding.guid,
            name=foreign(finding.name),
            owner=foreign(finding.owner),
            place=place_of(finding.org, finding.space),
            service=service_of(finding.offering, finding.plan),
            verdict=finding.verdict,
            verdict_words=VERDICTS[finding.verdict],
            change=CHANGES[change] if change else "",
            change_key=change or "",
            muted=_muted(finding.mute),
            reason=foreign(finding.reason),
            age=_age(age, evidence.backup_count),
            max_age=duration(policy.max_age_seconds),
            max_age_source=policy.max_age_source,
            newest_at=_time(evidence.newest_backup_at),
            count="" if evidence.backup_count is None else f"{evidence.backup_count:,}",
            min_backups=f"{policy.min_backups:,}",
            usual=duration(usual) if usual else "",
            since=_time(finding.since),
            opened_at=_time(finding.opened_at),
            observed_at=_time(evidence.observed_at),
            http="" if evidence.http_status is None else str(evidence.http_status),
            code="" if code is None else str(code),
            title=foreign(evidence.title),
            request_id=foreign(evidence.request_id),
            hidden_word=VERDICTS[hidden.verdict].lower() if hidden else "",
            hidden_day=dated(hidden.since) if hidden else "",
            hidden_verdict=VERDICTS[hidden.verdict] if hidden else "",
            hidden_since=_time(hidden.since if hidden else None),
            steps=next_step_of(finding),
            command=check_command_of(finding) or "",
        )


class Moment(msgspec.Struct, frozen=True):
    """A time for people, and for machines."""

    said: str
    machine: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table, in words; empty is what is not known, and None a time that is not."""

    guid: str = ""
    name: str = ""
    owner: str = ""
    place: str = ""
    service: str = ""
    verdict: Verdict
    verdict_words: str = ""
    change: str = ""
    change_key: str = ""
    muted: tuple[str, str, str] | None = None
    reason: str = ""
    age: str = ""
    max_age: str = ""
    max_age_source: str = ""
    newest_at: Moment | None = None
    count: str = ""
    min_backups: str = ""
    usual: str = ""
    since: Moment | None = None
    opened_at: Moment | None = None
    observed_at: Moment | None = None
    http: str = ""
    code: str = ""
    title: str = ""
    request_id: str = ""
    hidden_word: str = ""
    hidden_day: str = ""
    hidden_verdict: str = ""
    hidden_since: Moment | None = None
    steps: tuple[str, ...] = ()
    command: str = ""


BLANK = Row(verdict=Verdict.UNKNOWN, command=check_command("GUID"))
"""The row that the script fills: in its command, GUID stands for that of the instance."""


def _age(seconds: int | None, count: int | None) -> str:
    """How old the newest backup is; none only where a list shows none."""
    if seconds is not None:
        return duration(seconds)
    return "none" if count == 0 else "not known"


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text).strip()


def _time(when: datetime | None) -> Moment | None:
    return Moment(at(when), machine_time(when)) if when else None


def _muted(mute: Mute | None) -> tuple[str, str, str] | None:
    return (foreign(mute.owner), foreign(mute.reason), mute.until.isoformat()) if mute else None


# What could end a script element, or a line of a script, in JSON within HTML.
_ESCAPES: Mapping[bytes, bytes] = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}


def escaped(json: bytes) -> bytes:
    """JSON that is safe within an element: in JSON these characters stand in texts only."""
    for character, escape in _ESCAPES.items():
        json = json.replace(character, escape)
    return json


class Block:
    """The JSON of all rows, taken in one after the other; subclasses say how it stands in HTML."""

    def __init__(self) -> None:
        self._comma = b""

    def begin(self) -> bytes:
        return self._in_html(b'{"columns":' + _encode(COLUMNS) + b',"rows":[')

    def add(self, values: tuple[object, ...]) -> bytes:
        """Take a row in; return what is ready to be written, often nothing."""
        ready = self._in_html(self._comma + _encode(values))
        self._comma = b",\n"
        return ready

    def end(self, steps: Steps) -> bytes:
        return self._in_html(b'],"steps":' + _encode(steps.all()) + b"}")

    def _in_html(self, json: bytes) -> bytes:
        return escaped(json)


_LINE = 3 * 19_000  # bytes of a line of base64: three of them are four characters


class PackedBlock(Block):
    """The same, as gzip in base64: a tenth of the size. It has no time in it.

    zlib's bytes differ between builds; what they unpack to does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pack = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self._rest = b""

    def end(self, steps: Steps) -> bytes:
        last = super().end(steps)
        return last + base64.b64encode(self._rest + self._pack.flush())

    def _in_html(self, json: bytes) -> bytes:
        self._rest += self._pack.compress(json)
        if len(self._rest) < _LINE:
            return b""
        whole = len(self._rest) // 3 * 3
        ready, self._rest = self._rest[:whole], self._rest[whole:]
        return base64.b64encode(ready) + b"\n"
