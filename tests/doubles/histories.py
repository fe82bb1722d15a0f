"""Random histories: a foundation, its runs, three topics, and what whoever reads them believes.

A world has many instances; the path of each is one history. Runs are those of the use case, in
either mode. What they decide is compared with the model in tests/doubles/alert_model.py, and what
reaches the topics with what people and programs should believe.
"""

import contextlib
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from unittest import mock

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import AuditError, CredentialsUnavailable
from backup_audit.fleet.inventory import Read
from backup_audit.fleet.run import AuditRequest, Run, plan_run
from backup_audit.judge.finding import Finding
from backup_audit.notify.message import Message
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.report import groups
from backup_audit.report.alerts import Audience
from backup_audit.report.failing import FailingRuns
from backup_audit.report.report import Answer as RunAnswer
from backup_audit.report.report import Latest, WholeReport
from tests.doubles.alert_model import (
    PROBLEMS,
    Counts,
    Day,
    End,
    Life,
    Problem,
    Seen,
    Told,
    audited,
    left,
    reasons,
)
from tests.doubles.believers import Programs, Reader, Tally
from tests.doubles.builders import NOW, SETTINGS
from tests.doubles.crashing import Died, Effects
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import FixedSource, InMemoryStore, ListedFoundation, RecordingTelemetry
from tests.doubles.troubles import (
    DAY,
    HOUR,
    OWNERS,
    AfterCommit,
    Api,
    Once,
    Topic,
    Troubles,
)

NAMED_MAX = 100  # problems that a digest names
LATEST = "backup-audit/latest.json"
FAILING = "backup-audit/failing.json"
PLATFORM = ""
FLEET_REASONS = {"lost_role", "left_fleet", "new_unaudited", "first_unaudited"}
_UNITS = {"h": HOUR, "d": DAY}

_invocations = itertools.count()


class History:
    """A world, from run to run.

    All that is drawn follows from the seed. Whoever draws nothing, and moves `due` and `now` by
    hand, has a world in which all is healthy.
    """

    def __init__(self, seed: int, instances: int, *, mapped: bool) -> None:
        self.chance = random.Random(seed)
        self.seed, self.mapped = seed, mapped
        self.tally = Tally(histories=instances)
        draw = self.chance
        self.there = Troubles(draw, instances)
        self.services = self.there.services
        self.spacing = draw.choice((HOUR, DAY, DAY, 3 * DAY))
        self.remind_every = draw.choice(("6h", "24h", "24h", "7d"))
        self.per_owner = draw.random() < 0.5
        self.events_max = draw.choice((20_000, 20_000, 20_000, 10))
        self.foundation = ListedFoundation()
        self.foundation.breaks = self.there.broken
        self.store = InMemoryStore()
        self.topics = {audience: Topic() for audience in Audience}
        for topic in self.topics.values():
            topic.chance = draw
        self.due = self.now = NOW
        self.is_secret_gone = False
        self.refusals = (0.5, 1.0)  # share of the messages that a topic refuses which refuses some
        self.twins = 0.1  # share of runs that two deliveries make
        self.dead: tuple[AuditRequest, Run] | None = None  # the last run that died
        self.come_back_after: str | None = None  # the effect of a run during which it does
        self.owners_since: datetime | None = None  # they have had digests
        self.was_failing = False  # full runs before this one
        self.log: list[str] = []
        # What the model knows.
        self.lives: dict[str, Life] = defaultdict(Life)
        self.ends: dict[str, End] = {}
        self.told: dict[str, Told] = defaultdict(Told)
        self.news_from: dict[Audience, datetime] = {}
        self.was_complete = True
        self.latest: str | None = None
        # What readers believe, and in which runs they were notified without a mark.
        self.readers: dict[tuple[Audience, str], Reader] = defaultdict(Reader)
        self.programs = Programs()
        self.windows: dict[Audience, set[str]] = {one: set() for one in Audience}
        self.bodies: dict[tuple[Audience, str], str] = {}
        self.clear: dict[str, set[str]] = {}  # of each run: readers for whom all is clear

    # ── drawing ──────────────────────────────────────────────────────────────────────────────

    def live(self, runs: int) -> Tally:
        """So many runs, the last two of them quiet."""
        with mock.patch.object(groups, "EVENTS_MAX", self.events_max):
            for _ in range(runs - 2):
                self._change()
                self._draw_run()
            self.there.calm_down()
            for _ in range(2):
                self.due += self.spacing
                self.now = self.due
                self.full()
        self._check_the_end()
        return self.tally

    def _change(self) -> None:
        """What happens until the next run."""
        draw = self.chance
        self.due += 23 * HOUR if draw.random() < 0.05 else self.spacing
        self.now = self.due + timedelta(seconds=draw.randint(0, 600))
        if draw.random() < 0.1:
            self.per_owner = not self.per_owner
        self.there.change(self.now, is_first=self.latest is None)

    def _draw_run(self) -> None:
        kind = self.chance.choices(
            ("full", "by_hand", "quiet", "fails", "partial", "what_if", "dry", "late", "belated"),
            (60, 4, 8, 6, 5, 4, 1, 4, 4),
        )[0]
        self.tally.kinds[kind] += 1
        match kind:
            case "full" | "by_hand" | "quiet":
                self._draw_full(kind)
            case "fails":
                self._fail()
            case "late":
                self._late()
            case "belated":
                self._belated()
            case _:
                self._other(kind)

    def _draw_full(self, kind: str) -> None:
        draw = self.chance
        refused = [one for one in Audience if draw.random() < 0.12]
        if draw.random() < 0.03:
            refused = list(Audience)
        retried = draw.random() < 0.5
        dies_at = draw.randrange(22) if draw.random() < 0.15 else None
        self.full(kind, refused=refused, dies_at=dies_at, retried=retried)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────

    def full(
        self,
        kind: str = "full",
        *,
        refused: Iterable[Audience] = (),
        dies_at: int | None = None,
        retried: bool = False,
    ) -> None:
        """A full run; topics refuse some messages, it dies at a point after the commit."""
        request = AuditRequest(
            scheduled_time=None if kind == "by_hand" else self.due,
            notify=False if kind == "quiet" else None,
        )
        notifies = request.notifies
        self._note(f"{kind} refused={sorted(refused)} dies_at={dies_at} retried={retried}")
        for audience in refused:
            self.topics[audience].refuses = self.chance.choice(self.refusals)
        invocation = f"execution-{next(_invocations)}"
        run = plan_run(request, self.now, invocation)
        effects = Effects() if dies_at is None else AfterCommit(dies_at)
        if self.come_back_after and self.dead:
            dead, self.dead = self.dead, None
            effects = Once(self.come_back_after, lambda: self._deliver(*dead, Effects()))
        owed = self._unmarked()
        failing = self.store.objects.get(FAILING)
        self.was_failing = failing is not None and json.loads(failing)["ended_at"] is None
        is_over = self._deliver(request, run, effects)
        if not is_over:
            self.dead = request, run
        if retried and not is_over:
            for topic in self.topics.values():
                topic.refuses = topic.refuses if self.chance.random() < 0.3 else 0.0
            self._deliver(request, run, Effects())
        for topic in self.topics.values():
            topic.refuses = 0.0
        self._go_on(run, owed, notifies=notifies)
        self.due = max(self.due, run.due_at)

    def _fail(self) -> None:
        """A run that fails before it has a report."""
        self._note("fails")
        self.is_secret_gone = True
        request = AuditRequest(scheduled_time=self.due)
        before = dict(self.store.objects)
        run = plan_run(request, self.now, "failing")
        if not self._deliver(request, run, Effects()):
            self._failing().failed_again(run.run_id, self.now, "the secret is gone")
        self.is_secret_gone = False
        self.expect(
            before[LATEST] == self.store.objects[LATEST] if LATEST in before else True,
            "a failed run moved latest.json",
        )
        self._nothing_heard("a failed run")

    def _failing(self) -> FailingRuns:
        """What is stored of failed runs: the handler keeps it."""
        return FailingRuns(self.store, FAILING, SETTINGS.foundation, print)

    def _late(self) -> None:
        """A run that was due before the last one."""
        if self.latest is None:
            return
        self._note("late")
        latest = self._report(self.latest).run.due_at
        due = latest - timedelta(seconds=self.chance.randint(1, 59))
        before = self.store.objects[LATEST]
        request = AuditRequest(scheduled_time=due)
        self._deliver(request, plan_run(request, self.now, "late"), Effects())
        self.expect(before == self.store.objects[LATEST], "a late run moved latest.json")
        self._nothing_heard("a late run")

    def _belated(self) -> None:
        """A run that died is delivered again, after another was carried out."""
        if self.dead is None or self.latest is None:
            return
        request, run = self.dead
        if run.due_at >= self._report(self.latest).run.due_at:
            return
        self._note(f"belated {run.run_id}")
        before = self.store.objects[LATEST]
        self._deliver(request, run, Effects())
        self.expect(before == self.store.objects[LATEST], "a belated run moved latest.json")
        self._nothing_heard("a belated run")

    def _other(self, kind: str) -> None:
        """A run that is compared with nothing."""
        self._note(kind)
        some = self.chance.sample(sorted(self.services), min(5, len(self.services)))
        notify = self.chance.choice((None, True, False))
        match kind:
            case "partial":
                request = AuditRequest(instance_guids=some, notify=notify)
            case "what_if":
                request = AuditRequest(max_age="1h", notify=notify)
            case _:
                request = AuditRequest(dry_run=True)
        before = self.store.objects.get(LATEST)
        run = plan_run(request, self.now, f"other-{next(_invocations)}")
        self._deliver(request, run, Effects())
        self.expect(before == self.store.objects.get(LATEST), f"a {kind} run moved latest.json")
        for audience, topic in self.topics.items():
            for message in topic.unread():
                self.expect(request.notifies, f"a {kind} run that notifies nobody did")
                self.expect(
                    "all_clear" not in message.attributes.get("reason", ()),
                    f"a {kind} run said to {audience} that all is clear",
                )

    def _deliver(self, request: AuditRequest, run: Run, effects: Effects) -> bool:
        """Deliver an event; return whether all went well."""
        try:
            self._audit(request, run, effects)
        except (Died, AuditError) as error:
            self.tally.kinds[type(error).__name__] += 1
            return False
        return True

    def _audit(self, request: AuditRequest, run: Run, effects: Effects) -> RunAnswer:
        if not self.mapped or request.dry_run:
            return self._use_case(effects).run(request, run)
        planned = self._use_case(effects).plan(request, run)
        assert isinstance(planned, PlanAnswer), planned
        stored = read_plan(self.store, planned.plan_key)
        for number in range(planned.batches):
            with contextlib.suppress(AuditError):  # the last step says so
                self._use_case(Effects()).audit_batch(stored, number)
        return self._use_case(effects).conclude(stored)

    def _use_case(self, effects: Effects) -> Audit:
        self.there.now = self.foundation.at = self.now
        self.foundation.rows = self.there.rows()
        for topic in self.topics.values():
            topic.effects = effects
        edges = FakeEdges(
            source=FixedSource(json.dumps(self.there.configuration()).encode()),
            api=Api(self.there.answers(), self.services, self.now),
            store=effects.around(self.store),
            notifier=self.topics[Audience.PEOPLE],
            events=self.topics[Audience.EVENTS],
            chat=self.topics[Audience.CHAT],
            heartbeat=None,
            telemetry=RecordingTelemetry(),
            at=self.now,
            foundation=self.foundation,
        )
        if self.is_secret_gone:
            edges.secret_is_gone = CredentialsUnavailable("the secret is gone")
        settings = msgspec.structs.replace(
            SETTINGS,
            batch_size=200,
            workers=1,
            remind_every=self.remind_every,
            digest_per_owner=self.per_owner,
        )
        invocation = f"invocation-{next(_invocations)}"
        return Audit(settings, edges, invocation, self.now + timedelta(minutes=15))

    # ── what the model expects ───────────────────────────────────────────────────────────────

    def _unmarked(self) -> set[Audience]:
        """The audiences that the last full report has no mark for."""
        if self.latest is None:
            return set()
        return {one for one in Audience if not self._is_marked(self.latest, one)}

    def _is_marked(self, run_id: str, audience: Audience) -> bool:
        """Whether a mark says that all messages of a run are out."""
        mark = self.store.objects.get(f"{self._place(run_id)}/{audience.mark}")
        return mark is not None and bool(json.loads(mark)["done"])

    def _place(self, run_id: str) -> str:
        at = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
        return f"backup-audit/reports/dt={at}/run={run_id}"

    def _report(self, run_id: str) -> WholeReport:
        body = self.store.objects[f"{self._place(run_id)}/report.json"]
        return msgspec.json.decode(body, type=WholeReport)

    def _go_on(self, run: Run, owed: set[Audience], *, notifies: bool) -> None:
        """Compare a full run with the model, and what was heard with what should be."""
        latest = self.store.objects.get(LATEST)
        newest = msgspec.json.decode(latest, type=Latest).run.run_id if latest else None
        if newest != run.run_id:
            self._nothing_heard("a run that is not the latest")
            return
        for audience in owed:
            assert self.latest
            self.windows[audience].add(self.latest)
        self.latest = run.run_id
        self.tally.runs += 1
        report = self._report(run.run_id)
        self.news_from = {
            one: self.news_from[one] if one in owed else run.due_at for one in Audience
        }
        self.expect(
            report.alerts.news_from == self.news_from,
            f"news from {report.alerts.news_from}, the model has {self.news_from}",
        )
        if self.chance.random() < self.twins:
            self._deliver_to_a_twin(report)
        self._follow(report, notifies=notifies)
        if notifies:
            self._hear(report)
        else:
            self._nothing_heard("a run with notify false")

    def _deliver_to_a_twin(self, report: WholeReport) -> None:
        """Another delivery, from the same plan and findings, decides the same."""
        place, run = self._place(report.run.run_id), report.run
        ours, topics = self.store, self.topics
        self.store, self.topics = InMemoryStore(), {audience: Topic() for audience in Audience}
        self.store.objects = {
            key: body for key, body in ours.objects.items() if not key.startswith(f"{place}/")
        }
        request = AuditRequest(
            scheduled_time=run.due_at, notify=None if report.plan.notifies else False
        )
        self._deliver(request, run, Effects())
        twin = self._report(run.run_id)
        replace = msgspec.structs.replace
        same = {"effort": report.effort, "finished_at": report.finished_at}
        is_same = msgspec.json.encode(replace(twin, **same)) == msgspec.json.encode(report)
        self.expect(is_same, f"two deliveries of {run.run_id} disagree")
        self.store, self.topics = ours, topics

    def _follow(self, report: WholeReport, *, notifies: bool) -> None:
        """Let the model go on with what the run saw, and compare what both decided."""
        due_at, findings = report.run.due_at, self._findings(report)
        counts: dict[str, Counts] = defaultdict(Counts)
        ends: dict[str, End] = {}
        for guid in sorted(self.lives.keys() | findings.keys() | self.services.keys()):
            life, finding = self.lives[guid], findings.get(guid)
            if finding is None:
                end = self._expect_absent(guid, life, due_at, notifies=notifies)
            else:
                end = self._go_on_with(finding, life, notifies=notifies)
            if end is not None:
                ends[end.problem.id] = end
            elif life.open is not None and finding is not None:
                self._count(life.open, counts, due_at)
        self.ends |= ends
        self.tally.ended += len(ends)
        self._compare_ends(report, ends)
        for end in [*ends.values(), *(self._said_late() if notifies else ())]:
            for reader in self._readers_of(end.problem.seen.owner):
                counts[reader].ended += end.is_said
        if notifies:
            self._compare_digests(report, counts)

    def _go_on_with(self, finding: Finding, life: Life, *, notifies: bool) -> End | None:
        seen, owed_from = self._seen(finding), min(self.news_from.values())
        end = audited(
            life, finding.guid, seen, finding.due_at, notifies=notifies, owed_from=owed_from
        )
        self._compare(finding, life.open, end)
        if life.open is not None and finding.alert is not None:
            left_at = finding.alert.left_group_at
            life.open = msgspec.structs.replace(life.open, left_group_at=left_at)
        return end

    def _said_late(self) -> list[End]:
        """What ended in runs that notified nobody: the first that does says so."""
        late = [one for one in self.ends.values() if one.problem.named_at and not one.is_said]
        said = [msgspec.structs.replace(one, is_said=True) for one in late]
        self.ends |= {one.problem.id: one for one in said}
        return said

    def _findings(self, report: WholeReport) -> dict[str, Finding]:
        marker = f"/run={report.run.run_id}/part-"
        decode = msgspec.json.Decoder(Finding).decode
        found = {}
        for key, body in self.store.objects.items():
            if marker in key:
                for line in body.splitlines():
                    one = decode(line)
                    found[one.guid] = one
        # Where a problem joined a group in this run, the report has it.
        return found | {one.guid: one for one in report.findings}

    def _seen(self, finding: Finding) -> Seen:
        """What the run saw, held against what was there."""
        one = self.services[finding.guid]
        seen = Seen(
            verdict=None if not finding.is_reached else str(finding.verdict),
            owner=finding.owner,
            muted=finding.mute is not None,
            deleting=finding.is_being_deleted,
        )
        if self.there.is_fresh(one):
            expected = self.there.seen(one)
            self.expect(seen == expected, f"{one.guid}: saw {seen}, there was {expected}")
        return seen

    def _expect_absent(
        self, guid: str, life: Life, due_at: datetime, *, notifies: bool
    ) -> End | None:
        """The instance was not audited."""
        one = self.services[guid]
        is_there = self.there.is_there(one)
        is_wanted = one.wanted(listing=self.there.listing) and self.there.is_fresh(one)
        self.expect(not is_wanted, f"{guid}: it is there and wanted, and was not audited")
        is_gone = self.there.is_scanned and self.there.read is Read.COMPLETE and not is_there
        how = "gone" if is_gone else "left_selection"
        return left(life, how, due_at, notifies=notifies)

    def _compare(self, finding: Finding, problem: Problem | None, end: End | None) -> None:
        got = _decided(finding)
        if end is not None:
            wanted = end.problem.id, end.problem.opened_at, end.problem.named_at
            self.expect(got[:3] == wanted, f"{finding.guid}: {got} ended, the model has {wanted}")
        elif problem is None:
            self.expect(got[:4] == (None,) * 4, f"{finding.guid}: {got}, and no problem is open")
        else:
            expected = (
                problem.id,
                problem.opened_at,
                problem.named_at,
                problem.change,
                problem.verdict,
                problem.heard,
                problem.worsened_at,
            )
            self.expect(got == expected, f"{finding.guid}: {got}, the model has {expected}")

    def _count(self, problem: Problem, counts: dict[str, Counts], due_at: datetime) -> None:
        self.tally.opened += problem.opened_at == due_at
        if problem.seen.muted:
            return
        for reader in self._readers_of(problem.seen.owner):
            counts[reader].open += 1
            if problem.is_named:
                counts[reader].named += 1
                counts[reader].opened += problem.named_at == due_at
                counts[reader].again += self._is_back(problem, reader, due_at)
                counts[reader].worsened += problem.worsened_at == due_at

    def _is_back(self, problem: Problem, reader: str, due_at: datetime) -> bool:
        """Whether it was left out when this reader was told that all is clear."""
        clear_at, named_at = self.told[reader].clear_at, problem.named_at
        is_back = problem.back_at == due_at != named_at
        return is_back and clear_at is not None and named_at is not None and clear_at >= named_at

    def _readers_of(self, owner: str | None) -> list[str]:
        return [PLATFORM, owner] if owner and self.per_owner else [PLATFORM]

    def _compare_ends(self, report: WholeReport, ends: Mapping[str, End]) -> None:
        now = {
            one.problem_id: one for one in report.resolved if one.resolved_at == report.run.due_at
        }
        self.expect(
            now.keys() == ends.keys(),
            f"ends differ: {sorted(now.keys() ^ ends.keys())}",
        )
        for name, end in ends.items():
            if name not in now:
                continue
            got = now[name]
            verdict = end.problem.known or "unknown"
            self.expect(
                self._is_the_way(str(got.ended), end.how) and str(got.verdict) == verdict,
                f"{name}: {got.ended} of {got.verdict}, the model has {end.how} of {verdict}",
            )
            is_said = got.end_notified_at is not None and got.notified_at is not None
            self.expect(is_said == end.is_said, f"{name}: its end is said: {is_said}")

    def _is_the_way(self, ended: str, how: str) -> bool:
        """Whether an end is the expected one; who left a list may be called gone or unselected."""
        left = {"dropped", "left_selection"} | ({"gone"} if self.there.listing else set())
        return ended in left if how in left else ended == how

    def _compare_digests(self, report: WholeReport, counts: dict[str, Counts]) -> None:
        due_at, inventory = report.run.due_at, report.inventory
        assert inventory
        unknown = report.coverage.unknown
        certain = report.complete and not unknown
        certain = certain and inventory.read in (Read.COMPLETE, Read.LISTED)
        got = {
            reader: set(map(str, state.why)) if state.digest_at == due_at else set()
            for reader, state in report.alerts.readers.items()
        }
        fleet = frozenset(got[PLATFORM] & FLEET_REASONS)  # of another model
        day = Day(
            due_at=due_at,
            owed_from=min(self.news_from.values()),
            complete=report.complete,
            certain=certain,
            was_complete=self.was_complete,
            remind_every=int(self.remind_every[:-1]) * _UNITS[self.remind_every[-1]],
            fleet=fleet,
        )
        if self.per_owner and self.owners_since is None:
            self.owners_since = due_at
        if not self.per_owner:  # then owners have no digests, and nobody remembers any
            for owner in [one for one in self.told if one != PLATFORM]:
                del self.told[owner]
            for key in [one for one in self.readers if one[1] != PLATFORM]:
                del self.readers[key]
            self.owners_since = None
        self.clear[report.run.run_id] = {
            reader for reader in (PLATFORM, *OWNERS) if certain and not counts[reader].open
        }
        for reader in sorted({PLATFORM, *counts, *self.told}):
            why = reasons(self.told[reader], counts[reader], day, is_platform=reader == PLATFORM)
            had = got.get(reader, set())
            self.expect(had == why, f"reader {reader!r}: digest for {had}, the model has {why}")
        for owner in self.told.keys() - report.alerts.readers.keys():
            is_over = not self.told[owner].in_trouble and not counts[owner].open
            self.expect(is_over, f"reader {owner!r} is forgotten")
            del self.told[owner]
        self.was_complete = report.complete

    # ── what is heard ────────────────────────────────────────────────────────────────────────

    def _hear(self, report: WholeReport) -> None:
        """Read the topics, and see whether everybody knows what there is to know."""
        for audience, topic in self.topics.items():
            messages = topic.unread()
            self.tally.messages += len(messages)
            for message in messages:
                key = audience, message.message_id
                same = self.bodies.setdefault(key, message.body)
                self.expect(same == message.body, f"{message.message_id} says two things")
            is_marked = self._is_marked(report.run.run_id, audience)
            if audience is Audience.EVENTS:
                self.programs.read(messages, report, self, is_all=is_marked)
                if is_marked:
                    self.programs.check(*self._named(report), self)
                continue
            for message in messages:
                self._read_digest(report, audience, message)
            if is_marked:
                self._all_is_heard(report, audience)
                is_said = any("owner" not in one.attributes for one in messages)
                if self.was_failing and not is_said:
                    self.tally.lost.append(self.case(f"{audience}: that the audit works again"))

    def _named(self, report: WholeReport) -> tuple[set[str], dict[str, str]]:
        """The problems that somebody should know of, and the groups that stand for some."""
        named = {life.open.id for life in self.lives.values() if life.open and life.open.is_named}
        groups = {
            one.problem_id: one.alert.group_id
            for one in report.findings
            if one.problem_id and one.alert and one.alert.group_id
        }
        return named, groups

    def _read_digest(self, report: WholeReport, audience: Audience, message: Message) -> None:
        owner = message.attributes.get("owner", PLATFORM)
        assert isinstance(owner, str)
        if owner != PLATFORM and audience is Audience.CHAT:
            return  # owners have no channel of their own
        reader = self.readers[audience, owner]
        run_id = report.run.run_id
        self.expect(run_id in message.message_id, f"{message.message_id} in run {run_id}")
        theirs = [
            life.open
            for life in self.lives.values()
            if life.open and life.open.is_named and owner in (PLATFORM, life.open.seen.owner)
        ]
        for one in theirs:
            verdict = one.verdict if one.verdict != "unknown" else one.heard or "unknown"
            reader.named[one.id] = verdict
        if audience is Audience.PEOPLE and len(theirs) <= NAMED_MAX:
            is_lost = report.inventory is not None and report.inventory.lost > 0
            counted = {"unknown", "not_found"} if is_lost else {"unknown"}  # by their cause
            for one in theirs:
                named = (f"({one.guid})" in message.body, f"- {one.guid}\n" in message.body)
                is_named = any(named) or one.verdict in counted
                self.expect(is_named, f"{one.id} is not in the text for {owner!r}")
        self._read_ends(report, audience, owner)
        if "all_clear" in message.attributes.get("reason", ()):
            self._read_all_clear(audience, owner, run_id)

    def _read_ends(self, report: WholeReport, audience: Audience, owner: str) -> None:
        run_id, reader = report.run.run_id, self.readers[audience, owner]
        for end in report.resolved:
            if owner not in (PLATFORM, end.owner) or end.end_notified_at is None:
                continue
            if end.end_notified_at >= report.alerts.news_from[audience]:
                runs = reader.ended.setdefault(end.problem_id, [])
                if run_id not in runs:
                    self._is_doubled(audience, owner, end.problem_id, runs)
                    runs.append(run_id)

    def _read_all_clear(self, audience: Audience, owner: str, run_id: str) -> None:
        """Nothing is open, so the reader believes: what was muted has to be named again."""
        self.readers[audience, owner].named.clear()
        if owner not in self.clear[run_id]:
            self.tally.false_all_clears.append(
                self.case(f"{audience} {owner!r}: all clear in {run_id}, which it is not")
            )

    def is_window(self, action: str, run_id: str) -> bool:
        """Whether what programs heard in a run may come again.

        A mute takes an opening back that any audience is owed: it is news again for all.
        """
        audiences = Audience if action == "opened" else (Audience.EVENTS,)
        return any(run_id in self.windows[one] for one in audiences)

    def _is_doubled(self, audience: Audience, owner: str, problem: str, runs: list[str]) -> None:
        if not runs:
            return
        if all(one in self.windows[audience] for one in runs):
            self.tally.doubled_in_windows += 1
            return
        self.tally.doubled.append(
            self.case(f"{audience} {owner!r}: {problem} ended in {runs}, and again")
        )

    def _all_is_heard(self, report: WholeReport, audience: Audience) -> None:
        """All messages of a run are out."""
        has_owners = self.per_owner and audience is Audience.PEOPLE
        owners = OWNERS if has_owners else ()
        for owner in (PLATFORM, *owners):
            reader = self.readers[audience, owner]
            for life in self.lives.values():
                one = life.open
                if one is None or not one.is_named or owner not in (PLATFORM, one.seen.owner):
                    continue
                if owner != PLATFORM and not self._was_named_to(owner, one):
                    continue  # the owner's next digest names it
                heard = reader.named.get(one.id)
                if heard is None or (
                    one.verdict != "unknown" and PROBLEMS.index(one.verdict) < PROBLEMS.index(heard)
                ):
                    self.tally.lost.append(
                        self.case(f"{audience} {owner!r}: {one.id} is {one.verdict}, heard {heard}")
                    )
            for name in list(reader.named):
                if name not in self.ends:
                    continue
                if name in reader.ended or owner not in (
                    PLATFORM,
                    self.ends[name].problem.seen.owner,
                ):
                    del reader.named[name]
                    continue
                self.tally.lost.append(self.case(f"{audience} {owner!r}: end of {name}"))
                del reader.named[name]
        del report

    def _was_named_to(self, owner: str, problem: Problem) -> bool:
        """Whether it had this owner when it was first named, and owners have had digests since."""
        named_at, since = problem.named_at, self.owners_since
        is_since = named_at is not None and since is not None and named_at >= since
        return is_since and problem.named_to == owner

    def _nothing_heard(self, what: str) -> None:
        for audience, topic in self.topics.items():
            self.expect(not topic.unread(), f"{what} notified {audience}")

    def _check_the_end(self) -> None:
        """After two quiet runs nothing is open for anybody that is not."""
        opened = {life.open.id for life in self.lives.values() if life.open}
        for (audience, owner), reader in self.readers.items():
            stale = reader.named.keys() - opened
            if owner == PLATFORM:
                self.expect(not stale, f"{audience} {owner!r} believes in {sorted(stale)[:3]}")
        assert self.latest
        groups = {
            one.group_id
            for one in self._report(self.latest).alerts.groups
            if one.end_notified_at is None
        }
        self.programs.check_the_end(opened | groups, self)

    # ── telling what is wrong ────────────────────────────────────────────────────────────────

    def _note(self, what: str) -> None:
        self.log.append(
            f"{self.due:%m-%d %H:%M} {what} read={self.there.read} lost={len(self.there.lost)} "
            f"outage={self.there.outage} per_owner={self.per_owner}"
        )

    def case(self, what: str) -> str:
        return f"seed {self.seed} mapped={self.mapped} run {len(self.log)}: {what}"

    def expect(self, is_right: object, what: str) -> None:
        if not is_right:
            self.tally.wrong.append(self.case(what))


def _decided(finding: Finding) -> tuple[object, ...]:
    """What a run decided on a finding, as far as the model knows such things."""
    alert, change = finding.alert, finding.change
    return (
        finding.problem_id,
        finding.opened_at,
        finding.notified_at,
        None if change is None else str(change),
        str(finding.verdict),
        str(alert.verdict) if alert else None,
        alert.worsened_at if alert else None,
    )


def histories(
    seeds: Iterable[int], instances: int, runs: int, *, modes: Iterable[bool] = (False, True)
) -> Tally:
    """A world of so many instances for each seed, in each mode."""
    total = Tally()
    for seed in seeds:
        for mapped in modes:
            total.add(History(seed, instances, mapped=mapped).live(runs))
    return total
