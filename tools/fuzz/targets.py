"""What must hold for any bytes: an event, a configuration, an instance, an answer of the API.

A target takes bytes and returns, or raises AssertionError, or anything else that is not the
product's own error for bad input: each is a finding.
"""

import contextlib
import fnmatch
import html
import json
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from backup_audit.errors import InvalidConfiguration, InvalidDocument
from backup_audit.fleet.configuration import Configuration, Instance, parse_configuration
from backup_audit.fleet.inventory import MANAGED, Sees, ServiceInstance
from backup_audit.fleet.policy import BUILT_IN, Policy
from backup_audit.fleet.run import CLOCK_SKEW, Run, Scope, parse_event
from backup_audit.fleet.selection import Selection, Standing
from backup_audit.fleet.selectors import NAMES, Selector, glob_fits, globs_of
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.chat import code
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.http import Reply
from backup_audit.report.rendering import csv_line, json_line
from backup_audit.text import parse_duration

NOW = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)
_RUN = Run(run_id="20260131T050000Z", scope=Scope.FULL, due_at=NOW, started_at=NOW)
_TOKEN = "bearer a-token-that-no-answer-may-bring-into-a-report"
_TURNS_DIRECTION = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_NAME_MAX = 255  # characters
_REASON_MAX = 2_000  # characters: a sentence, with two texts of the API in it

# The first byte of an answer's input chooses its status, the second its headers and the grace.
_STATUSES = (200, 200, 200, 422, 404, 401, 403, 500, 503, 999)
_HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {"X-VCAP-Request-ID": "r\u202e\r\n" + "1" * 900},
    {"X-Cf-RouterError": "unknown_route"},
)


def event(data: bytes) -> None:
    """Lambda hands over any JSON; what is accepted is safe to put into a URL, and sane."""
    try:
        request = parse_event(json.loads(data), NOW)
    except (ValueError, RecursionError):  # no JSON: it never reaches us
        return
    except InvalidDocument as invalid:
        _check_faults(invalid)
        return
    guids = request.instance_guids or ()
    assert all(_is_safe(guid) for guid in guids)
    assert len(set(guids)) == len(guids)
    assert not request.max_age or parse_duration(request.max_age) > 0
    assert not (request.dry_run and request.notifies)


def configuration(data: bytes) -> None:
    """A document is a configuration or a list of faults."""
    try:
        found = parse_configuration(data, "file:fuzz")
    except InvalidConfiguration as invalid:
        _check_faults(invalid)
        return
    guids = [instance.guid for instance in found.instances]
    assert all(_is_safe(guid) for guid in guids)
    assert len(set(guids)) == len(guids)
    for instance in _decided(found):
        _check_policy(instance.policy)
        assert not _hides_something(instance.name or "")
        assert not _hides_something(instance.owner or "")


def selection(data: bytes) -> None:
    """A configuration decides for any instance, and its globs are those of the shell."""
    try:
        parts = msgspec.json.decode(data, type=_Selected)
        found = parse_configuration(bytes(parts.configuration), "file:fuzz")
    except (msgspec.MsgspecError, ValueError, RecursionError, InvalidConfiguration):
        return
    for selector in found.discover:
        _check_globs(selector, parts.row)
    today = NOW.date()
    chosen = Selection(found, today)
    row = parts.row if _are_kept(parts.row.labels, chosen.label_keys) else None
    decision = chosen.decide("guid-1", row, is_fresh=True)
    assert (decision.instance is not None) is (decision.standing is Standing.AUDITED)
    if decision.instance is not None:
        _check_policy(decision.instance.policy)
        assert all(note.isprintable() for note in decision.instance.policy_notes)
        assert not _hides_something(decision.instance.owner or "")
        is_listed = any(one.guid == "guid-1" for one in found.instances)
        assert is_listed or (row is not None and row.type == MANAGED)
    assert all(warning.isprintable() for warning in chosen.warnings())
    assert len(chosen.rule_uses()) == len(found.rules)


def answer(data: bytes) -> None:
    """No answer gives a verdict without its proof, or a finding that cannot be written."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    choice = data[1] if len(data) > 1 else 0
    body = data[2:]
    reply = Reply(status=status, headers=_HEADERS[choice % len(_HEADERS)], body=body)
    finding = _finding(reply, _with_grace(BUILT_IN) if choice % 2 else BUILT_IN)
    _check_proof(finding.verdict, status, body)
    assert finding.reason.isprintable()
    assert len(finding.reason) <= _REASON_MAX
    line = json_line(finding)
    assert _TOKEN.removeprefix("bearer ").encode() not in line
    assert msgspec.json.decode(line, type=Finding) == finding
    assert csv_line(finding)


def chat(data: bytes) -> None:
    """Whatever a name is, a channel shows it as code: one span, on one line, with no mention."""
    span = code(data.decode("utf-8", "replace"), _NAME_MAX)
    if span:
        shown = span[1:-1]
        assert (span[0], span[-1]) == ("`", "`")
        assert shown.isprintable()
        assert not set(shown) & set("`<>")
        assert len(html.unescape(shown)) <= _NAME_MAX


TARGETS: dict[str, Callable[[bytes], None]] = {
    "event": event,
    "configuration": configuration,
    "selection": selection,
    "answer": answer,
    "chat": chat,
}


def _are_kept(labels: Collection[str], keys: Collection[str]) -> bool:
    """Whether a reader of the inventory would keep these labels."""
    beginnings = tuple(key.removesuffix("*") for key in keys if key.endswith("*"))
    return all(label in keys or label.startswith(beginnings) for label in labels)


class _Selected(msgspec.Struct, frozen=True):
    """The input of the target `selection`."""

    configuration: msgspec.Raw
    row: ServiceInstance


class _Repeats:
    """An HttpClient, as far as CloudController needs one: the same reply to everything."""

    calls = 0

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def cut(self) -> list[int]:
        return []

    def cut_all(self) -> None:
        pass

    @contextlib.contextmanager
    def get(self, url: str, authorization: str) -> Iterator[Reply]:
        del url, authorization
        yield self._reply


class _OneToken:
    """An Authorization that has no other."""

    sees = Sees.UNKNOWN

    def header(self) -> str:
        return _TOKEN

    def renewed(self, refused: str) -> str | None:
        del refused
        return None


def _finding(reply: Reply, policy: Policy) -> Finding:
    api = CloudController(
        "https://api.example.com",
        _Repeats(reply),  # type: ignore[arg-type]
        _OneToken(),
        clock=lambda: NOW,
    )
    evidence = api.list_backups("guid-1").evidence
    return finding_of(Instance("guid-1", policy), evidence, _RUN, None)


def _decided(found: Configuration) -> Iterator[Instance]:
    chosen = Selection(found, NOW.date())
    for entry in found.instances:
        decision = chosen.decide(entry.guid, None, is_fresh=True)
        assert decision.instance is not None
        yield decision.instance


def _check_globs(selector: Selector, row: ServiceInstance) -> None:
    for key in NAMES:
        name = getattr(row, key)
        for glob in globs_of(selector, key):
            if name is not None:
                in_the_shell = fnmatch.fnmatchcase(name, glob.replace("[", "[[]"))
                assert glob_fits(glob, name) is in_the_shell


def _with_grace(policy: Policy) -> Policy:
    return msgspec.structs.replace(policy, grace_seconds=24 * 3600)


def _check_proof(verdict: Verdict, status: int, body: bytes) -> None:
    """What a second, slower reading of the body says of the verdict."""
    match verdict:
        case Verdict.HEALTHY:
            assert status == 200
            assert any(_is_young(entry) for entry in _listed(body))
        case Verdict.STALE:
            assert status == 200
            assert not any(_is_young(entry) for entry in _listed(body))
        case Verdict.NEVER_BACKED_UP:
            assert status == 200
            assert _listed(body) == []
        case Verdict.UNSUPPORTED:
            assert status == 422
        case Verdict.NOT_FOUND:
            assert status == 404
            assert b"10010" in body
        case Verdict.IN_GRACE:
            raise AssertionError("nobody was asked how old the instance is")
        case Verdict.UNKNOWN:
            pass


def _listed(body: bytes) -> list[Any]:
    backups: list[Any] = json.loads(body)["backups"]
    assert isinstance(backups, list)
    return backups


def _is_young(entry: object) -> bool:
    created_at = entry.get("created_at") if isinstance(entry, dict) else None
    if type(created_at) is not int:
        return False
    oldest, newest = NOW - BUILT_IN.max_age, NOW + CLOCK_SKEW
    return oldest.timestamp() <= created_at <= newest.timestamp()


def _check_faults(invalid: InvalidDocument) -> None:
    assert invalid.faults
    for fault in invalid.faults:
        assert fault.isprintable()


def _check_policy(policy: Policy) -> None:
    assert policy.max_age_seconds > 0
    assert policy.min_backups >= 1
    assert policy.grace_seconds >= 0


def _hides_something(text: str) -> bool:
    """Whether it breaks its line, or turns the direction of the text around it."""
    return any(
        unicodedata.category(char) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(char) in _TURNS_DIRECTION
        for char in text
    )


def _is_safe(guid: str) -> bool:
    """Whether it stays one segment of a path, by another's definition of what needs quoting."""
    return bool(guid) and quote(guid, safe="") == guid and guid not in (".", "..")
