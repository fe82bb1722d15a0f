"""The states that a page for people can be in, as stored reports of a made-up foundation.

The same at each call, on each machine. 2,314 instances of eight teams, a quarter of daily runs with
two days without one and one that was incomplete, unless a state says otherwise.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache

import msgspec

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import MANAGED, USER_PROVIDED, Operation
from backup_audit.fleet.mutes import Mute, MuteRecord, MuteState
from backup_audit.fleet.policy import Policy
from backup_audit.fleet.run import Run, Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse, RuleUse
from backup_audit.fleet.selectors import Selector
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    UserProvided,
)
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import Audience
from backup_audit.report.changes import Ended, Resolved, compared
from backup_audit.report.commit import StoredReport, commit
from backup_audit.report.drift import Departure, InventoryRecord, Unaudited
from backup_audit.report.history import HistoryPoint
from backup_audit.report.listeners import Listening
from backup_audit.report.rendering import json_line, report_pieces
from backup_audit.report.report import (
    Ceilings,
    Effort,
    KeptObject,
    Manifest,
    Plan,
    PreviousReport,
    StoredPlan,
)
from backup_audit.report.store import RunKeys
from tests.doubles.builders import (
    HOUR,
    NOW,
    departed,
    departures,
    ended_problem,
    inventory,
    open_problem,
    unaudited,
)
from tests.doubles.edges import sketched
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import alerts_from

DAY = 24 * HOUR
FOUNDATION = "prod-eu1"

_TEAMS = (
    *("team-orders", "team-billing", "team-catalog", "team-identity"),
    *("team-payments", "team-search", "team-shipping", "team-warehouse"),
)
_PLACES = (
    *(("retail", "prod"), ("retail", "staging"), ("finance", "prod"), ("finance", "sandbox")),
    *(("logistics", "prod"), ("marketing", "prod"), ("platform", "shared")),
)
_OFFERINGS = (
    *(("p.mysql", "db-gold-small"), ("p.mysql", "db-gold-large"), ("postgres", "on-demand-ha")),
    *(("p.rabbitmq", "single-node"), ("p.redis", "cache-medium"), ("mongodb", "replica-3")),
)
_THINGS = ("orders", "invoices", "products", "sessions", "ledger", "index", "parcels", "stock")
_KINDS = ("db", "queue", "cache", "store", "archive")

_BUILT_IN = Policy(max_age_seconds=26 * 3600, min_backups=1, grace_seconds=0)
_POLICIES = (
    *(3 * [_BUILT_IN]),
    Policy(
        max_age_seconds=12 * 3600,
        max_age_source="rules[0]",
        min_backups=7,
        min_backups_source="rules[0]",
        grace_seconds=0,
    ),
    Policy(
        max_age_seconds=8 * 86_400,
        max_age_source="label backup-audit.max-age",
        min_backups=1,
        min_backups_source="defaults",
        grace_seconds=48 * 3600,
        grace_source="defaults",
    ),
)
_WITH_GRACE = Policy(
    max_age_seconds=26 * 3600, min_backups=1, grace_seconds=48 * 3600, grace_source="defaults"
)

_ANSWERS: Mapping[Verdict, Sequence[tuple[Answer, int | None]]] = {
    Verdict.NEVER_BACKED_UP: [(BackupList(()), 200)],
    Verdict.UNSUPPORTED: [
        (Refusal(10008, "CF-UnprocessableEntity", "This service does not support backups."), 422),
        (Refusal(10008, "CF-UnprocessableEntity", "Backups are turned off for this plan."), 422),
        (UserProvided(), None),
    ],
    Verdict.NOT_FOUND: [(Refusal(10010, "CF-ResourceNotFound", "Instance not found"), 404)],
    Verdict.UNKNOWN: [
        (Silence(Cause.TIMEOUT, "no answer within the read time-out"), None),
        (Refusal(10001, "CF-ServiceBrokerBadResponse", "The broker returned HTTP 502."), 502),
        (Refusal(10003, "CF-NotAuthorized", "You are not authorized."), 403),
        (Refusal(60027, "CF-AsyncServiceInstanceOperationInProgress", "An update is on."), 409),
    ],
}
_DOWN = (Refusal(), 503)
_NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)

_FULL = Run(
    run_id="20260131T050000Z", scope=Scope.FULL, due_at=NOW, started_at=NOW + timedelta(seconds=8)
)


class _Made(msgspec.Struct, frozen=True):
    """Findings to make of a verdict; `new` of them were none before."""

    verdict: Verdict
    count: int
    new: int = 0


def _some(healthy: int = 2_283) -> tuple[_Made, ...]:
    return (
        _Made(Verdict.NEVER_BACKED_UP, 4, new=1),
        _Made(Verdict.STALE, 8),
        _Made(Verdict.UNSUPPORTED, 3),
        _Made(Verdict.NOT_FOUND, 4),
        _Made(Verdict.UNKNOWN, 1),
        _Made(Verdict.IN_GRACE, 11),
        _Made(Verdict.HEALTHY, healthy),
    )


@cache
def none() -> StoredReport:
    """No problem: 2,303 of 2,314 are backed up, 11 are in grace."""
    fleet = _fleet(_Made(Verdict.IN_GRACE, 11), _Made(Verdict.HEALTHY, 2_303))
    return _kept(fleet, history=_history(88, (0, 0, 0, 0, 0, 11), quiet=34))


@cache
def all_healthy() -> StoredReport:
    """Nothing to list."""
    fleet = _fleet(_Made(Verdict.HEALTHY, 2_314))
    return _kept(fleet, history=_history(88, (0, 0, 0, 0, 0, 0), quiet=34))


@cache
def some() -> StoredReport:
    """20 problems of 2,314 instances, one of them new; one more is muted, and 4 have ended."""
    return _kept([*_muted(1), *_fleet(*_some(2_282))], history=_history(88), ended=4)


@cache
def sixty() -> StoredReport:
    """60 problems of 2,314 instances, 5 of them new; 2 more are muted, and 1 is being deleted."""
    fleet = _fleet(
        _Made(Verdict.NEVER_BACKED_UP, 9, new=3),
        _Made(Verdict.STALE, 30),
        _Made(Verdict.UNSUPPORTED, 8, new=1),
        _Made(Verdict.NOT_FOUND, 4),
        _Made(Verdict.UNKNOWN, 9, new=1),
        _Made(Verdict.IN_GRACE, 11),
        _Made(Verdict.HEALTHY, 2_240),
    )
    others = [*_muted(2), _being_deleted()]
    return _kept([*others, *fleet], history=_history(88, (9, 42, 8, 6, 1, 11)), ended=4)


@cache
def many() -> StoredReport:
    """5,000 problems of 6,000 instances."""
    return size(5_000)


@cache
def all_unknown() -> StoredReport:
    """The API answered for none; before that, 19 problems were known."""
    unknown = [
        one if number >= 19 else _hiding(one, number)
        for number, one in enumerate(_unreachable(_healthy(2_314), _DOWN))
    ]
    return _kept(unknown, history=_history(88))


@cache
def first() -> StoredReport:
    """The first full run: nothing to compare with."""
    fleet = _fleet(*_some(), compare=False)
    return _kept([compared(one, None) for one in fleet], history=())


@cache
def partial() -> StoredReport:
    """A run of twelve instances that somebody asked for."""
    run = msgspec.structs.replace(
        _FULL, run_id="20260131T050000Z-partial-83495c02", scope=Scope.PARTIAL
    )
    fleet = _fleet(
        _Made(Verdict.STALE, 2), _Made(Verdict.UNKNOWN, 1), _Made(Verdict.HEALTHY, 9), compare=False
    )
    return _kept([_of(run, one) for one in fleet], of=run, history=_history(89), notifies=False)


@cache
def what_if() -> StoredReport:
    """What 12 hours would say of the fleet."""
    run = msgspec.structs.replace(
        _FULL,
        run_id="20260131T050000Z-what_if-f61169df",
        scope=Scope.WHAT_IF,
        max_age_seconds=12 * 3600,
    )
    fleet = _fleet(
        _Made(Verdict.NEVER_BACKED_UP, 4),
        _Made(Verdict.STALE, 310),
        _Made(Verdict.HEALTHY, 2_000),
        compare=False,
        policy=Policy(
            max_age_seconds=12 * 3600, max_age_source="event", min_backups=1, grace_seconds=0
        ),
    )
    return _kept([_of(run, one) for one in fleet], of=run, history=_history(89), notifies=False)


@cache
def incomplete() -> StoredReport:
    """20 problems, and 400 instances that the run did not reach; 5 of them hide a problem."""
    reached = 1_883
    left = _unreachable(_healthy(reached + 400)[reached:], _NOT_REACHED)
    hiding = [_hiding(one, number) for number, one in enumerate(left[:5])]
    return _kept([*_fleet(*_some(reached)), *hiding, *left[5:]], history=_history(88))


@cache
def all_muted() -> StoredReport:
    """20 problems, and a mute for each."""
    return _kept([*_muted(20), *_fleet(_Made(Verdict.HEALTHY, 2_294))], history=_history(88))


# What a stranger may have named an instance, an org, or an error.
HOSTILE_TEXTS = (
    "<script>document.title = 'planted'</script>",
    "</script><img src=x onerror=\"document.title='planted'\">",
    "\"><svg onload=document.title='planted'>",
    "' onmouseover='document.title=1",
    "<!-- <script> --!> ]]> </template></table></body>",
    "{{ 7 * 7 }}{% raw %}{# no comment",
    "javascript:document.title='planted'",
    '=HYPERLINK("https://evil.example","click")',
    "\u05e9\u05dc\u05d5\u05dd \u202e gpj.exe \u0645\u0631\u062d\u0628\u0627",
    "line\u2028separator\u2029paragraph\x00nul\x1b[31mred",
    "W" * 200,
    "zürich-gebühren 数据库 🐘 \ufffd",
    "&lt;b&gt;&amp;amp; &#x3c;script&#x3e;",
    " ",
)


@cache
def hostile() -> StoredReport:
    """Problems whose every text is a stranger's."""
    fleet, count = [], len(HOSTILE_TEXTS)
    made = _fleet(
        _Made(Verdict.STALE, count),
        _Made(Verdict.UNKNOWN, count, new=count),
        _Made(Verdict.HEALTHY, 2 * count),
    )
    for number, one in enumerate(made):
        text = HOSTILE_TEXTS[number % count]
        evidence = msgspec.structs.replace(
            one.evidence, title=text, detail=text, request_id=text, http_status=418
        )
        fleet.append(
            msgspec.structs.replace(
                one,
                name=text,
                owner=text,
                org=text,
                space=text,
                offering=text,
                plan=text,
                reason=text,
                policy_notes=(text,),
                evidence=evidence,
            )
        )
    mutes = [
        MuteRecord(
            guid=None,
            owner=text,
            reason=text,
            until=date(2026, 3, 31),
            match=Selector(name=text),
            state=MuteState.ACTIVE,
            instances=1,
        )
        for text in HOSTILE_TEXTS
        if text.isprintable() and text.strip()  # the configuration takes no other
    ]
    fleet[0] = msgspec.structs.replace(
        fleet[0], mute=Mute(None, HOSTILE_TEXTS[0], HOSTILE_TEXTS[1], date(2026, 3, 31))
    )
    ends = [
        ended_problem(f"gone-{number}", name=text, owner=text, org=text, space=text)
        for number, text in enumerate(HOSTILE_TEXTS)
    ]
    return _kept(
        fleet,
        history=_history(88),
        mutes=mutes,
        ends=ends,
        warnings=HOSTILE_TEXTS,
        foundation="<b>test</b>",
    )


@cache
def size(problems: int) -> StoredReport:
    """So many problems, a fifth as many healthy instances, and no mutes in force."""
    parts = {
        Verdict.NEVER_BACKED_UP: problems // 20,
        Verdict.UNSUPPORTED: problems // 10,
        Verdict.NOT_FOUND: problems // 25,
        Verdict.UNKNOWN: problems // 8,
    }
    stale = problems - sum(parts.values())
    made = [_Made(verdict, count, new=count // 10) for verdict, count in parts.items()]
    fleet = _fleet(*made, _Made(Verdict.STALE, stale), _Made(Verdict.HEALTHY, problems // 5))
    share = problems / 2_314
    return _kept(fleet, history=_history(88, tuple(int(9 * share) for _ in range(6))), ended=4)


STATES: Mapping[str, Callable[[], StoredReport]] = {
    one.__name__: one
    for one in (
        *(none, all_healthy, some, sixty, many, all_unknown, first),
        *(partial, what_if, incomplete, all_muted, hostile),
    )
}


def objects_of(report: StoredReport) -> list[KeptObject]:
    """The objects of a run that its page names."""
    stored = report.store.get(report.keys.manifest)
    assert stored is not None
    objects = msgspec.json.decode(stored.body, type=Manifest).objects
    return [one for one in objects if not one.key.endswith("/report.html")]


def _fleet(*made: _Made, compare: bool = True, policy: Policy | None = None) -> list[Finding]:
    """The findings of a full run that goes on from the last one, problems first."""
    rng, findings = random.Random(1), []
    for one in made:
        if one.verdict is Verdict.HEALTHY:
            findings += _healthy(one.count, policy)
            continue
        for number in range(one.count):
            finding = _finding(one.verdict, number, rng, policy)
            if compare and one.verdict.is_problem:
                is_new = number < one.new
                since = NOW - (1 + number * 7 % 45) * DAY
                before = None if is_new else open_problem(one.verdict, since)
                finding = compared(finding, before)
            findings.append(finding)
    return findings


_HEALTHY: dict[Policy | None, tuple[list[Finding], random.Random]] = {}


def _healthy(count: int, policy: Policy | None = None) -> list[Finding]:
    """So many healthy ones: the same in all states, and made once."""
    made, rng = _HEALTHY.setdefault(policy, ([], random.Random(4)))
    for number in range(len(made), count):
        made.append(_finding(Verdict.HEALTHY, number, rng, policy))
    return made[:count]


def _finding(
    verdict: Verdict, number: int, rng: random.Random, policy: Policy | None = None
) -> Finding:
    policy = policy or rng.choice(_POLICIES)
    if verdict is Verdict.IN_GRACE:
        policy = _WITH_GRACE
    if verdict is Verdict.NEVER_BACKED_UP:
        policy = _BUILT_IN
    answer, status, usual = _answer(verdict, number, policy, rng)
    is_provided = isinstance(answer, UserProvided)
    offering, plan = (None, None) if is_provided else rng.choice(_OFFERINGS)
    org, space = rng.choice(_PLACES)
    instance = Instance(
        str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        policy,
        name=f"{rng.choice(_THINGS)}-{rng.choice(_KINDS)}-{number}" if number % 9 != 8 else None,
        owner=rng.choice(_TEAMS) if number % 7 != 6 else None,
        type=USER_PROVIDED if is_provided else MANAGED,
        org=org,
        space=space,
        offering=offering,
        plan=plan,
        created_at=NOW - rng.randint(3, 900) * DAY,
    )
    taken = Evidence(
        answer=answer,
        observed_at=NOW + timedelta(seconds=9 + number % 31),
        status=status,
        request_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)) if status else None,
        attempts=1 + number % 2,
        milliseconds=rng.randint(40, 900),
    )
    found = finding_of(instance, taken, _FULL, None)
    assert found.verdict is verdict
    return _usual(found, usual)


def _usual(finding: Finding, usual: int | None) -> Finding:
    age = finding.evidence.newest_backup_age_seconds
    is_late = usual is not None and age is not None and age > 1.5 * usual
    return msgspec.structs.replace(
        finding,
        late=is_late and finding.verdict is Verdict.HEALTHY,
        evidence=msgspec.structs.replace(finding.evidence, usual_interval_seconds=usual),
    )


def _answer(
    verdict: Verdict, number: int, policy: Policy, rng: random.Random
) -> tuple[Answer, int | None, int | None]:
    """An answer that proves the verdict, its HTTP status, and how often backups are made, in s."""
    if verdict in (Verdict.HEALTHY, Verdict.STALE):
        usual = {12 * 3600: 6 * 3600, 26 * 3600: 24 * 3600}.get(policy.max_age_seconds, 3 * 86_400)
        age = _age(verdict, number, policy.max_age_seconds, usual, rng)
        return _list(age, usual, 9 + number % 6), 200, usual
    if verdict is Verdict.IN_GRACE:
        return BackupList((), NOW - rng.randint(2, 40) * HOUR), 200, None
    answers = _ANSWERS[verdict]
    return *answers[number % len(answers)], None


def _age(verdict: Verdict, number: int, max_age: int, usual: int, rng: random.Random) -> float:
    """The age of the newest backup; of healthy ones, some are late."""
    if verdict is Verdict.STALE:
        times = (1.05, 1.3, 1.7, 2.5, 3.3, 5, 7, 12)[number % 8]
        return times * rng.uniform(1, 1.02) * max_age
    if number % 90 == 3 and 1.6 * usual < max_age:
        return rng.uniform(1.6 * usual, 0.99 * max_age)
    return rng.uniform(0.02 * max_age, min(1.4 * usual, 0.95 * max_age))


def _list(newest: float, usual: int, count: int) -> BackupList:
    ages = (int(newest) + usual * place for place in range(count))
    return BackupList(tuple(Backup(NOW - timedelta(seconds=age)) for age in ages))


def _being_deleted() -> Finding:
    """A problem of an instance that is about to go."""
    stale = _finding(Verdict.STALE, 0, random.Random(3))
    deletion = Operation(type="delete", state="in progress", updated_at=NOW - HOUR)
    one = msgspec.structs.replace(stale, operation=deletion)
    return compared(one, open_problem(Verdict.STALE, NOW - 9 * DAY))


def _muted(count: int) -> list[Finding]:
    """Problems of which nobody is notified."""
    rng = random.Random(2)
    mute = Mute(None, "team-orders", "moves to another foundation this month", date(2026, 3, 31))
    muted = []
    for number in range(count):
        verdict = (Verdict.STALE, Verdict.UNSUPPORTED)[number % 2]
        one = msgspec.structs.replace(_finding(verdict, number, rng), mute=mute)
        muted.append(compared(one, open_problem(verdict, NOW - 9 * DAY)))
    return muted


def _unreachable(fleet: Iterable[Finding], how: tuple[Answer, int | None]) -> list[Finding]:
    """Healthy instances until yesterday, and today no answer."""
    findings = []
    for known in fleet:
        instance = Instance(
            known.guid,
            known.policy,
            known.name,
            known.owner,
            known.type,
            known.org,
            known.space,
            known.offering,
            known.plan,
        )
        answer, status = how
        taken = Evidence(answer=answer, observed_at=NOW + timedelta(seconds=40), status=status)
        findings.append(compared(finding_of(instance, taken, _FULL, None), None))
    return findings


def _hiding(finding: Finding, number: int) -> Finding:
    """The same, and a problem was known before."""
    verdict = (Verdict.NEVER_BACKED_UP, Verdict.STALE, Verdict.UNSUPPORTED)[number % 3]
    bare = msgspec.structs.replace(finding, change=None, problem_id=None, opened_at=None)
    return compared(bare, open_problem(verdict, NOW - (2 + number) * DAY))


def _of(run: Run, finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, run_id=run.run_id, scope=run.scope)


def _history(
    count: int, last: tuple[int, ...] = (4, 10, 3, 4, 1, 11), *, quiet: int = 0
) -> tuple[HistoryPoint, ...]:
    """So many runs, one a day but for two days, until yesterday.

    `last` has the counts from the worst verdict to in_grace, `quiet` how many of the last runs
    found no problem.
    """
    return tuple(_points(count, last, quiet))


def _points(count: int, last: tuple[int, ...], quiet: int) -> Iterator[HistoryPoint]:
    rng, fleet = random.Random(4), 2_314
    days = [day for day in range(count + 2, 0, -1) if day not in (31, 32)]
    for place, day in enumerate(days):
        due_at, left = NOW - day * DAY, len(days) - place
        is_quiet = quiet >= left
        wave = 1 + left / 150
        base = last if any(last[:5]) or is_quiet else (2, 5, 1, 2, 0, 11)
        counts = [max(0, round(one * wave + rng.uniform(-1, 1))) for one in base]
        counts = list(last) if is_quiet else counts
        is_incomplete = place == count // 3
        if is_incomplete:
            counts[Verdict.UNKNOWN.rank] = 900
        total = max(fleet, 2 * sum(counts))
        new = 0 if is_quiet else rng.randint(0, 3)
        yield HistoryPoint(
            run_id=f"{due_at:%Y%m%dT%H%M%SZ}",
            due_at=due_at,
            complete=not is_incomplete,
            percent=(total - counts[Verdict.UNKNOWN.rank]) * 10_000 // total / 100,
            counts=dict(
                zip((one.value for one in Verdict), (*counts, total - sum(counts)), strict=True)
            ),
            open=sum(counts[: Verdict.IN_GRACE.rank]),
            new=new,
            resolved=0 if is_quiet else rng.randint(0, 3),
            muted=1,
        )


def _mutes() -> list[MuteRecord]:
    """A mute in each state, and one for several instances."""
    return [
        MuteRecord(
            guid=None,
            owner="team-orders",
            reason="moves to another foundation this month",
            until=date(2026, 3, 31),
            match=Selector(org="retail", offering="p.rabbitmq"),
            state=MuteState.ACTIVE,
            instances=2,
        ),
        MuteRecord(
            guid="7d1f6c2e-0f7a-4f0e-9d8e-2f9b3f5d1c11",
            owner="team-search",
            reason="an index that is built anew each night",
            until=date(2026, 2, 4),
            state=MuteState.ENDING,
            instances=1,
        ),
        MuteRecord(
            guid="0b6b6a55-41a7-4c51-8ad4-3a0b9f1f5e22",
            owner="team-billing",
            reason="the broker is being replaced",
            until=date(2026, 1, 29),
            state=MuteState.EXPIRED,
            instances=0,
            problems=1,
        ),
        MuteRecord(
            guid="a2c8f7de-5b0e-47c0-8f1d-d6c0a7b9e333",
            owner="team-catalog",
            reason="test data",
            until=date(2026, 12, 31),
            state=MuteState.UNMATCHED,
            instances=0,
        ),
    ]


def _inventory(fleet: int) -> InventoryRecord:
    """A foundation that the client sees whole, with three instances that nobody audits."""
    nobodys = [unaudited(f"cache-{number}", is_new=number == 0) for number in range(3)]
    return inventory(
        read_at=NOW + timedelta(seconds=9),
        requests=12,
        managed=fleet + 60,
        user_provided=31,
        appeared=2,
        unaudited=Unaudited(count=3, new=1, by_offering={"p.redis": 3}, instances=nobodys),
        excluded=[
            ExcludeUse(
                rule="exclude[0]",
                match={"space": "sandbox-*"},
                owner="team-platform",
                reason="sandboxes hold nothing worth a backup",
                until="2026-06-30",
                state=ExcludeState.ACTIVE,
                instances=57,
            )
        ],
        rules=[
            RuleUse(
                rule="rules[0]",
                name="gold plans every 12 hours",
                match={"plan": "db-gold-*"},
                unless=None,
                matched=480,
                decided=455,
            )
        ],
        **departures(departed("left-1", Departure.GONE), departed("left-2", Departure.EXCLUDED)),
    )


def _ends(count: int) -> list[Resolved]:
    """Problems that ended in this run, each in another way."""
    ways = (Ended.HEALTHY, Ended.HEALTHY, Ended.IN_GRACE, Ended.GONE)
    verdicts = (Verdict.STALE, Verdict.NEVER_BACKED_UP, Verdict.STALE, Verdict.NOT_FOUND)
    return [
        ended_problem(
            str(uuid.UUID(int=number + 1, version=4)),
            name=f"{_THINGS[number % 8]}-db-{number}",
            owner=_TEAMS[number % 8],
            org="retail",
            space="prod",
            offering="p.mysql",
            plan="db-gold-small",
            verdict=verdicts[number % 4],
            ended=ways[number % 4],
            since=NOW - (number + 1) * DAY,
            opened_at=NOW - (number + 1) * DAY,
            notified_at=NOW - (number + 1) * DAY,
        )
        for number in range(count)
    ]


_WARNINGS = (
    "labels of 2 instances were ignored: backup-audit.max-age is longer than 30 d",
    "nobody has confirmed a subscription to the topic of team-search",
)


def _kept(
    findings: Sequence[Finding],
    *,
    history: Sequence[HistoryPoint],
    of: Run = _FULL,
    ended: int = 0,
    ends: Sequence[Resolved] = (),
    mutes: Sequence[MuteRecord] | None = None,
    warnings: Sequence[str] = _WARNINGS,
    notifies: bool = True,
    foundation: str = FOUNDATION,
) -> StoredReport:
    """The stored report of a run; the one before it named these ends, and as many of its own."""
    store, keys = InMemoryStore(), RunKeys.of("backup-audit", of)
    previous = _previous(store, [*_ends(ended), *ends]) if history else None
    plan = Plan(
        notifies=notifies,
        instances=len(findings),
        configuration_uri="s3://audit-config/prod-eu1.json",
        configuration_sha256="5f" * 32,
        policy_digest="b7" * 32,
        previous=previous,
        listeners=dict.fromkeys(Audience, Listening(confirmed=2, had_one=True)),
        warnings=tuple(warnings),
    )
    store.objects[keys.findings(0)] = b"".join(map(json_line, findings))
    planned = StoredPlan(
        run=of,
        plan=plan,
        alerts=alerts_from(of.due_at),
        mutes=tuple(_mutes() if mutes is None else mutes),
        place="plans",
        batches=1,
        ceilings=Ceilings(concurrency=1, workers=32, requests_per_second=None),
        history=tuple(history),
        inventory=_inventory(len(findings)),
    )
    if planned.fleet_key:
        store.objects[planned.fleet_key] = b""
    report, _ = commit(
        store,
        keys,
        planned,
        foundation=foundation,
        effort=Effort(api_calls=len(findings) + 15, retries=3, seconds=41.3),
        finished_at=NOW + timedelta(seconds=52),
        invocation_id="6a1e0f9c-2d64-4c0e-8f43-6d0b7a9e1f00",
        draw=sketched,
        page_failed=_raised,
    )
    return report


def _previous(store: InMemoryStore, ends: Sequence[Resolved]) -> PreviousReport:
    """The report of yesterday: all that is read of it are its ends."""
    due_at = NOW - DAY
    before = Run(run_id="20260130T050000Z", scope=Scope.FULL, due_at=due_at, started_at=due_at)
    keys = RunKeys.of("backup-audit", before)
    head = _kept([_finding(Verdict.HEALTHY, 0, random.Random(1))], history=()).head
    store.objects[keys.report_json] = b"".join(report_pieces(head, resolved=ends))
    return PreviousReport(
        run_id=before.run_id,
        report_key=keys.report_json,
        report_sha256="0c" * 32,
        manifest_sha256="e1" * 32,
    )


def _raised(error: Exception) -> None:
    raise error
