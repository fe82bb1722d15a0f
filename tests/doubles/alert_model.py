"""The life of a problem as a table of plain data: a model beside the code, that shares none of it.

Written from the contract: a problem opens with evidence of one, keeps its id whatever its verdict
becomes, and ends by evidence of health, by a policy, or when nobody audits its instance any more.
"""

from datetime import datetime, timedelta

import msgspec

# Worst first. A verdict is worse than another if it stands before it.
PROBLEMS = ("never_backed_up", "stale", "unsupported", "not_found", "unknown")
ENDS = {"healthy": "healthy", "in_grace": "in_grace"}
MEMORY = timedelta(days=30)


class Seen(msgspec.Struct, frozen=True):
    """What a run saw of an instance; `verdict` is None if the run did not reach it."""

    verdict: str | None
    owner: str | None = None
    muted: bool = False
    deleting: bool = False

    @property
    def is_silent(self) -> bool:
        """Whether messages leave a problem out."""
        return self.muted or self.deleting


class Problem(msgspec.Struct, frozen=True):
    """An open problem.

    `known` is its last verdict that was not unknown, if it ever had one. `heard` is the verdict
    that readers last heard of, None if they heard of none. `named_to` is who owned the instance
    when they first did. `change` is that of the last run. `is_owed`: some had not heard of it when
    messages began to leave it out. `left_group_at`, when programs were to open it by itself, is
    taken from the report: groups are beyond this model. `is_left_out`: messages leave it out since
    they named it; `back_at`, when they last named it again after that.
    """

    guid: str
    opened_at: datetime
    verdict: str
    known: str | None
    seen: Seen
    named_at: datetime | None = None
    named_to: str | None = None
    heard: str | None = None
    change: str = "new"
    worsened_at: datetime | None = None
    left_group_at: datetime | None = None
    is_owed: bool = False
    is_left_out: bool = False
    back_at: datetime | None = None

    @property
    def id(self) -> str:
        """As the contract spells it."""
        return f"{self.guid}@{spelled(self.opened_at)}"

    @property
    def is_named(self) -> bool:
        """Whether a digest that goes out now names it."""
        return not self.seen.is_silent


class End(msgspec.Struct, frozen=True):
    """A problem that ended, and how. `is_said`: its readers had heard of it."""

    problem: Problem
    ended_at: datetime
    how: str
    is_said: bool

    @property
    def is_remembered(self) -> bool:
        """Whether the problem, if it comes back, is called reopened."""
        return self.problem.known is not None


class Life(msgspec.Struct):
    """The life of one instance's problems: the open one, and the last end worth a memory."""

    open: Problem | None = None
    memory: End | None = None


def spelled(at: datetime) -> str:
    """An instant as ids have it."""
    return at.strftime("%Y%m%dT%H%M%SZ" if at.second else "%Y%m%dT%H%MZ")


def audited(
    life: Life, guid: str, seen: Seen, due_at: datetime, *, notifies: bool, owed_from: datetime
) -> End | None:
    """Go on with what a full run saw of an instance; return the problem that ended, if one did.

    What was decided from `owed_from` on, somebody has not been notified of.
    """
    before = life.open
    if seen.verdict in ENDS:
        return left(life, ENDS[seen.verdict], due_at, notifies=notifies, seen=seen)
    verdict = seen.verdict or "unknown"
    if before is None:
        if seen.verdict is None:
            return None
        before = Problem(guid, due_at, verdict, None, seen, change=_change(life, verdict, due_at))
        is_old = False
    else:
        is_old = True
    life.open = _going_on(life, before, verdict, seen, due_at, notifies=notifies, is_old=is_old)
    if notifies and seen.is_silent:
        life.open = _unheard(life.open, owed_from)
    return None


def left(
    life: Life, how: str, due_at: datetime, *, notifies: bool, seen: Seen | None = None
) -> End | None:
    """The problem, if there is one, ends by what was seen, or since nobody audits any more."""
    problem, life.open = life.open, None
    if problem is None:
        return None
    problem = msgspec.structs.replace(problem, seen=seen or problem.seen)
    end = End(problem, due_at, how, is_said=notifies and problem.named_at is not None)
    if end.is_remembered:
        life.memory = end
    return end


def _going_on(
    life: Life,
    before: Problem,
    verdict: str,
    seen: Seen,
    due_at: datetime,
    *,
    notifies: bool,
    is_old: bool,
) -> Problem:
    now = msgspec.structs.replace(
        before,
        verdict=verdict,
        known=before.known if verdict == "unknown" else verdict,
        seen=seen,
        change="ongoing" if is_old else before.change,
    )
    if not notifies or seen.is_silent:
        return now
    if before.heard is None:
        change = _change(life, verdict, due_at)
        return msgspec.structs.replace(
            now, named_at=due_at, named_to=seen.owner, heard=verdict, change=change
        )
    if before.is_owed:
        return msgspec.structs.replace(
            now,
            named_at=due_at,
            named_to=seen.owner,
            heard=verdict,
            worsened_at=None,
            is_owed=False,
            is_left_out=False,
        )
    if before.is_left_out:
        now = msgspec.structs.replace(now, is_left_out=False, back_at=due_at)
    if verdict == "unknown":
        return now
    is_worse = PROBLEMS.index(verdict) < PROBLEMS.index(before.heard)
    worsened_at = due_at if is_worse else before.worsened_at
    return msgspec.structs.replace(now, heard=verdict, worsened_at=worsened_at)


def _unheard(problem: Problem, owed_from: datetime) -> Problem:
    """What somebody has not heard yet, and will not hear as long as messages leave it out."""
    if problem.heard is None:
        return problem
    problem = msgspec.structs.replace(problem, is_left_out=True)
    opened = (problem.named_at, problem.left_group_at)
    if any(at is not None and at >= owed_from for at in opened):
        return msgspec.structs.replace(problem, is_owed=True)
    if problem.worsened_at is not None and problem.worsened_at >= owed_from:
        return msgspec.structs.replace(problem, heard="unknown", worsened_at=None)
    return problem


def _change(life: Life, verdict: str, due_at: datetime) -> str:
    is_memory = life.memory is not None and due_at - life.memory.ended_at <= MEMORY
    return "reopened" if is_memory and verdict != "unknown" else "new"


class Told(msgspec.Struct):
    """What decides on a reader's digests: when the last was, and whether it heard of trouble.

    `heard_clear`: the last that some audience heard of trouble may be that there is none.
    """

    digest_at: datetime | None = None
    why: set[str] = set()
    in_trouble: bool = False
    heard_clear: bool = True
    clear_at: datetime | None = None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A full run that notifies, as far as digests depend on it.

    What was decided from `owed_from` on, somebody has not been notified of. `fleet` are the reasons
    that the inventory gives, of the platform alone.
    """

    due_at: datetime
    owed_from: datetime
    complete: bool
    certain: bool
    was_complete: bool
    remind_every: timedelta
    fleet: frozenset[str] = frozenset()


class Counts(msgspec.Struct):
    """What there is for one reader: open problems, named ones, and news."""

    open: int = 0
    named: int = 0
    opened: int = 0
    again: int = 0  # named again, after an all-clear
    worsened: int = 0
    ended: int = 0


def reasons(told: Told, counts: Counts, day: Day, *, is_platform: bool) -> set[str]:
    """Why a digest goes to a reader in this run, nothing if none does; notes that it did."""
    is_well = day.certain and not counts.open
    is_owed = told.digest_at is not None and told.digest_at >= day.owed_from
    if is_owed and "all_clear" in told.why and not is_well:
        # Somebody has not heard that all was clear, and never will: it is no more.
        told.why.remove("all_clear")
        told.in_trouble = True
        told.digest_at = told.digest_at if told.why else None
    why = {name for name in ("opened", "worsened", "ended") if getattr(counts, name)}
    why |= {"opened"} if counts.again else set()
    if is_platform:
        why |= day.fleet
        if day.complete != day.was_complete:
            why.add("complete" if day.complete else "incomplete")
    if counts.named:
        if told.heard_clear:
            why.add("opened")
        told.in_trouble, told.heard_clear = True, False
    elif told.in_trouble and is_well:
        told.in_trouble, told.heard_clear, told.clear_at = False, True, day.due_at
        why.add("all_clear")
    says = counts.named or (is_platform and not day.complete)
    slack = min(day.remind_every / 10, timedelta(hours=1))
    is_late = told.digest_at is None or day.due_at - told.digest_at >= day.remind_every - slack
    if not why and says and is_late:
        why.add("reminder")
    if why:
        told.digest_at, told.why = day.due_at, set(why)
    return why
