"""What people hear of the fleet itself: lost roles, departures, the unaudited."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_audit.fleet.configuration import Configuration, Exclude
from backup_audit.fleet.doubts import doubts_about
from backup_audit.fleet.inventory import Read
from backup_audit.fleet.run import Run, Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse
from backup_audit.fleet.selectors import Selector
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.digest import DIGEST_MAX, digests
from backup_audit.notify.fleet_news import FleetNews, fleet_news
from backup_audit.notify.links import Links
from backup_audit.notify.listing import contents
from backup_audit.notify.message import SIZE_MAX, Message
from backup_audit.notify.unheard import REPORTS_MAX
from backup_audit.report.alerts import Audience, Reason
from backup_audit.report.changes import compared
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import (
    NAMED_MAX,
    NOT_READ,
    Departed,
    Departure,
    InventoryRecord,
    Unaudited,
    UnauditedInstance,
)
from tests.doubles.builders import (
    NOW,
    departed,
    departures,
    finding,
    inventory,
    run,
    unaudited,
)
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import alerts_from, stored
from tests.doubles.some import rest

DAY = timedelta(days=1)
HEALTHY = finding(Verdict.HEALTHY)
STALE = compared(finding(), None)
DOCS = "https://git.example.com/docs"
LINKS = Links(runbook_url=DOCS, topic_arn="arn:aws:sns:eu-central-1:123456789012:backup-audit")
PAGE = f"{DOCS}/runbook.md#news-of-the-fleet"
GONE, DESELECTED, EXCLUDED = Departure.GONE, Departure.DESELECTED, Departure.EXCLUDED


def left(*instances: Departed) -> InventoryRecord:
    """An inventory after which these have left the fleet."""
    return inventory(**departures(*instances))


def nobodys(*instances: UnauditedInstance, count: int = 0, new: int | None = None) -> Unaudited:
    """So many that nobody audits, these of them by name."""
    return Unaudited(
        count=count or len(instances),
        new=sum(one.is_new for one in instances) if new is None else new,
        by_offering={},
        instances=[*instances],
    )


def unaudited_by(*instances: UnauditedInstance, **counts: int) -> InventoryRecord:
    return inventory(unaudited=nobodys(*instances, **counts))


def digest(record: InventoryRecord | None, *findings: Finding, **parts: Any) -> Message:  # noqa: ANN401
    [message] = people(stored(findings or [HEALTHY], inventory=record, **parts))
    return message


def people(report: StoredReport) -> list[Message]:
    return list(digests(report, Audience.PEOPLE, LINKS))


def lines_of(message: Message) -> list[str]:
    return message.body.splitlines()


def of_the_fleet(message: Message) -> list[str]:
    """The lines between the figures of the run and the report's address."""
    return lines_of(message)[3 : lines_of(message).index("The report:") - 1]


LOST = inventory(vanished=None, vanished_count=None, left=None, lost=312)
LOST_SAID = (
    "LOST ROLE? 312 instances disappeared from the inventory at once: check the roles of our "
    f"client. They stay in the fleet. {DOCS}/runbook.md#many-disappeared-at-once 1 of 1 instance "
    "has a problem, 1 of them new. "
)


def test_a_lost_role_is_said_before_anything_else() -> None:
    message = digest(LOST, STALE)

    assert " ".join(message.body.split()).startswith(LOST_SAID)
    assert message.subject == (
        "[backup-audit] test: 312 instances disappeared at once, INCOMPLETE, 1 problem, 1 new"
    )
    assert message.attributes["reason"] == ("opened", "incomplete", "lost_role")


def test_a_lost_role_is_news_even_where_all_is_well() -> None:
    message = digest(LOST)

    assert message.attributes["severity"] == "warning"
    assert message.attributes["reason"] == ("incomplete", "lost_role")
    why = "is INCOMPLETE: 312 instances disappeared from the foundation's list at once, which is"
    assert why in " ".join(message.body.split())


@pytest.mark.parametrize("record", [None, inventory()])
def test_where_no_role_is_lost_nothing_of_one_is_said(record: InventoryRecord | None) -> None:
    assert "LOST ROLE" not in digest(record, STALE).body
    assert "disappeared" not in (digest(record, STALE).subject or "")


NOWHERE: dict[str, Any] = dict.fromkeys(("org", "space", "offering", "plan"))
WHERE = "    prod-eu / payments · p.mysql db-gold-small"


def test_who_left_the_fleet_is_named_with_the_problem_that_was_open() -> None:
    record = left(
        departed("g-1", GONE, Verdict.STALE),
        departed("d-1", DESELECTED, name=None),
        departed("d-2", DESELECTED, None, owner="team-orders"),
        departed("e-1", EXCLUDED, **NOWHERE),
    )

    message = digest(msgspec.structs.replace(record, excluded=[exclude(59)]))

    assert of_the_fleet(message) == [
        "Left the fleet: 4, with an open problem: 3.",
        "",
        "GONE (1): not in the foundation any more, and nothing selects them; 1 had a problem",
        "- orders (g-1)",
        WHERE,
        "    was stale since 2026-01-30 05:00 UTC",
        "",
        "NO LONGER SELECTED (2): nobody audits them any more; 1 had a problem",
        "- d-1",
        WHERE,
        "    was stale since 2026-01-30 05:00 UTC",
        "- orders (d-2)",
        WHERE,
        "    owner: team-orders",
        "",
        "EXCLUDED (1): nobody audits them any more; 1 had a problem",
        "- orders (e-1)",
        "    by exclude[1] (sre: torn down weekly), until 2026-03-31",
        "    was stale since 2026-01-30 05:00 UTC",
        PAGE,
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 4 left the fleet"
    assert message.attributes["reason"] == ("left_fleet",)
    told = fleet_news(record)
    assert [one.guid for one in told.left] == ["e-1", "d-1", "g-1", "d-2"]
    assert (told.left_count, told.left_with_problem) == (4, 3)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-03-31", "    by label backup-audit.skip-until, until 2026-03-31"),
        ("never", "    by label backup-audit.skip-until, for good"),
        (None, "    by label backup-audit.skip-until"),
    ],
)
def test_a_label_that_skips_an_instance_is_said_with_its_last_day(
    until: str | None, said: str
) -> None:
    one = departed("e-1", EXCLUDED, None, place="label backup-audit.skip-until", until=until)

    assert said in lines_of(digest(left(one)))


TITLES_OF_FIFTY = (
    "GONE (50): not in the foundation any more, and nothing selects them",
    "NO LONGER SELECTED (50): nobody audits them any more",
    "EXCLUDED (50): nobody audits them any more",
)


@pytest.mark.parametrize("how", [DESELECTED, EXCLUDED, GONE])
def test_who_left_the_fleet_without_a_problem_is_news_too(how: Departure) -> None:
    message = digest(left(*(departed(f"guid-{n}", how, verdict=None) for n in range(50))))

    assert message.subject == "[backup-audit] test: 0 problems, 50 left the fleet"
    assert message.attributes["severity"] == "warning"
    assert message.attributes["reason"] == ("left_fleet",)
    assert message.body.count("orders (guid-") == 50
    [title] = [line for line in lines_of(message) if " (50): " in line]
    assert title in TITLES_OF_FIFTY


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [(verdict, verdict.severity) for verdict in Verdict if verdict.is_problem],
)
def test_a_departure_is_as_urgent_as_the_problem_that_left(
    verdict: Verdict, severity: Severity
) -> None:
    record = left(departed("d-1", DESELECTED, None), departed("d-2", EXCLUDED, verdict))

    assert digest(record).attributes["severity"] == severity
    assert digest(left(departed(verdict=None)), STALE).attributes["severity"] == "critical"
    unknown = finding(Verdict.UNKNOWN)
    assert digest(left(departed(verdict=None)), unknown).attributes["severity"] == "warning"


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_at_most_a_hundred_that_left_are_named_and_the_others_counted(
    count: int, named: int
) -> None:
    quiet = (departed(f"d-{n:03}", verdict=None, **NOWHERE) for n in range(count - 1))
    record = left(*quiet, departed("last", **NOWHERE))

    message = digest(record)

    assert f"NO LONGER SELECTED ({count}): " in message.body
    assert message.body.count("\n- orders (") == named
    assert "- orders (last)" in lines_of(message)
    assert ("And 1 more, in the report." in lines_of(message)) is (count > named)
    assert f", {count} left the fleet" in (message.subject or "")
    assert len(fleet_news(record).left) == named


def test_of_those_that_left_as_many_are_named_as_there_is_room_for() -> None:
    record = left(*(departed(f"d-{n:03}", name="n" * 200, owner="o" * 200) for n in range(100)))

    message = digest(record)

    named = message.body.count(" (d-")
    assert 5 < named < 50
    assert f"And {100 - named} more, in the report." in lines_of(message)
    assert len(fleet_news(record).left) == 100


def test_more_than_a_report_names_are_counted_all() -> None:
    many = [departed(f"d-{n:05}", verdict=None) for n in range(NAMED_MAX + 7)]

    message = digest(left(*many, departed("e-1", EXCLUDED, verdict=None)))

    assert message.subject == "[backup-audit] test: 0 problems, 5,008 left the fleet"
    named = message.body.count("\n- ")
    assert f"And {NAMED_MAX + 7 - named:,} more, in the report." in lines_of(message)
    assert fleet_news(left(*many)).left_count == NAMED_MAX + 7


def test_a_kind_of_departure_of_which_none_is_named_is_counted() -> None:
    many = [departed(f"d-{n:03}") for n in range(100)]

    message = digest(left(*many, departed("e-1", EXCLUDED), departed("e-2", EXCLUDED)))

    assert of_the_fleet(message)[-4:] == [
        "",
        "EXCLUDED (2): nobody audits them any more; 2 had a problem",
        "And 2 more, in the report.",
        PAGE,
    ]


def test_a_new_unaudited_instance_is_named_with_its_place() -> None:
    record = unaudited_by(unaudited("u-1"), unaudited("u-2", is_new=False), count=7)
    message = digest(record)

    assert of_the_fleet(message) == [
        "Nobody audits 7 instances that our client sees, 1 of them new.",
        "",
        "NEW AND UNAUDITED (1): nobody listed, discovered or excluded them",
        "- cache (u-1)",
        WHERE,
        PAGE,
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 1 new and unaudited"
    assert message.attributes["reason"] == ("new_unaudited",)
    assert message.attributes["severity"] == "warning"
    told = fleet_news(record)
    assert [one.guid for one in told.new_unaudited] == ["u-1"]
    assert (told.unaudited_count, told.new_unaudited_count) == (7, 1)


def test_an_instance_of_which_only_the_guid_is_known_is_named_by_it() -> None:
    nameless = unaudited("u-1", name=None, org=None, space=None, offering=None, plan=None)

    message = digest(unaudited_by(nameless))

    assert of_the_fleet(message)[-2:] == ["- u-1", PAGE]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "Nobody audits 1 instance "), (1_234, "Nobody audits 1,234 instances ")]
)
def test_an_unaudited_count_that_has_not_grown_is_a_line_and_no_news(count: int, said: str) -> None:
    record = unaudited_by(unaudited("u-1", is_new=False), count=count)

    assert people(stored([HEALTHY], inventory=record)) == []
    message = digest(record, STALE)
    assert f"{said}that our client sees." in lines_of(message)
    assert "u-1" not in message.body
    assert message.attributes["reason"] == ("opened",)


def test_where_nothing_is_unaudited_and_nobody_left_nothing_is_said() -> None:
    bare = digest(None, STALE)

    still = digest(unaudited_by(), STALE)

    assert still.body == bare.body
    assert still.attributes == bare.attributes
    assert fleet_news(unaudited_by()) == FleetNews(
        read=Read.COMPLETE,
        why=None,
        lost=0,
        left_count=0,
        left_with_problem=0,
        left=[],
        unaudited_count=0,
        new_unaudited_count=0,
        new_unaudited=[],
        first_unaudited={},
    )


def first(count: int, **by_offering: int) -> InventoryRecord:
    """The first inventory, by which nobody audits so many."""
    nobodys_own = Unaudited(
        count=count,
        new=0,
        by_offering=by_offering,
        instances=[unaudited("u-1", is_new=False)],
    )
    return inventory(appeared=None, vanished=None, left=None, unaudited=nobodys_own)


def test_the_first_inventory_says_by_offering_what_nobody_audits() -> None:
    message = digest(first(12, redis=7, mysql=5))

    assert of_the_fleet(message) == [
        "Nobody audits 12 instances that our client sees.",
        "",
        "UNAUDITED (12): nobody listed, discovered or excluded them; this is said once",
        "- 7 redis",
        "- 5 mysql",
        PAGE,
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 12 unaudited"
    assert message.attributes["reason"] == ("first_unaudited",)
    assert message.attributes["severity"] == "warning"
    assert "u-1" not in message.body
    told = fleet_news(first(12, redis=7, mysql=5))
    assert told.first_unaudited == {"redis": 7, "mysql": 5}
    assert (told.unaudited_count, told.new_unaudited_count) == (12, 0)


def test_an_unchanged_count_after_the_first_inventory_is_no_news() -> None:
    record = msgspec.structs.replace(first(12, redis=12), appeared=0)

    assert people(stored([HEALTHY], inventory=record)) == []


@pytest.mark.parametrize(
    "record", [first(0), msgspec.structs.replace(first(1, redis=1), read=Read.PARTIAL)]
)
def test_a_first_inventory_that_is_partial_or_misses_nothing_is_no_news(
    record: InventoryRecord,
) -> None:
    assert people(stored([HEALTHY], inventory=record)) == []


@pytest.mark.parametrize(("offerings", "others"), [(9, 0), (10, 0), (11, 1)])
def test_of_the_first_inventory_ten_offerings_are_said(offerings: int, others: int) -> None:
    by_offering = {f"offering-{n:02}\n": 1 for n in range(offerings)}

    message = digest(first(offerings, **by_offering))

    assert message.body.count("- 1 offering-") == min(offerings, 10)
    assert ("- 1 of other offerings" in lines_of(message)) is bool(others)


def test_warnings_are_lines_of_digests_that_go_out_anyway() -> None:
    idle = 'rules[2] "gold": decides nothing: shadowed by rules[1]'

    message = digest(inventory(), STALE, warnings=(idle, "a\nb"))

    assert of_the_fleet(message)[:3] == [f"Warning: {idle}", "Warning: a b", ""]
    assert people(stored([HEALTHY], warnings=(idle,))) == []
    partial_run = digest(None, STALE, of=run(Scope.PARTIAL), warnings=(idle,))
    assert f"Warning: {idle}" in lines_of(partial_run)


@pytest.mark.parametrize("count", [9, 10, 11])
def test_at_most_ten_warnings_are_said_and_the_others_counted(count: int) -> None:
    many = [f"discover[{n}]: " + "x" * 400 for n in range(count)]

    message = digest(None, STALE, warnings=many)

    assert message.body.count("Warning: discover[") == min(count, 10)
    more = "And 1 more warnings in the report."
    assert (more in lines_of(message)) is (count > 10)


def test_a_warning_that_the_fleets_lines_say_already_is_said_once() -> None:
    until = (NOW + DAY).date()
    chaos = Exclude(match=Selector(org="lab"), owner="sre", reason="x", until=until.isoformat())
    over = msgspec.structs.replace(chaos, until="2026-01-01")
    ends = doubts_about(Configuration(exclude=(chaos, over)), NOW.date())
    many = doubts_about(Configuration(exclude=(over,) * 99), NOW.date())
    unread = f"{NOT_READ} (failed: HTTP 503): the last fleet goes on"
    record = inventory(read=Read.FAILED, why="HTTP 503", excluded=[exclude(1)])

    message = digest(record, STALE, warnings=[*ends, *many, unread])

    assert (len(ends), len(many)) == (2, 1)
    assert "Warning: " not in message.body
    partial_run = digest(record, STALE, of=run(Scope.PARTIAL), warnings=[unread])
    assert f"Warning: {unread}" in lines_of(partial_run)


@pytest.mark.parametrize(("count", "named"), [(19, 19), (20, 20), (21, 20)])
def test_at_most_twenty_new_ones_are_named(count: int, named: int) -> None:
    message = digest(unaudited_by(*(unaudited(f"u-{n:02}") for n in range(count))))

    assert f"NEW AND UNAUDITED ({count}): " in message.body
    assert message.body.count("cache (u-") == named
    assert ("And 1 more: 1 p.mysql." in lines_of(message)) is (count > named)


def test_the_other_new_ones_are_counted_by_offering_the_most_first() -> None:
    named = [unaudited(f"u-{n:02}") for n in range(20)]
    others = [
        unaudited("o-1", offering="redis"),
        unaudited("o-2", offering="my\nsql"),
        unaudited("o-3", offering="my\nsql"),
        unaudited("o-4", offering=None),
    ]

    message = digest(unaudited_by(*named, *others, count=30, new=26))

    assert of_the_fleet(message)[-2] == (
        "And 6 more: 2 my sql, 1 redis, 1 of an unknown offering, 2 of other offerings."
    )


@pytest.mark.parametrize(("offerings", "others"), [(9, 0), (10, 0), (11, 1)])
def test_the_offerings_that_are_counted_are_ten_at_most(offerings: int, others: int) -> None:
    named = [unaudited(f"u-{n:02}") for n in range(20)]
    more = [unaudited(f"o-{n:02}", offering=f"offering-{n:02}") for n in range(offerings)]

    text = " ".join(digest(unaudited_by(*named, *more)).body.split())

    assert text.count(" 1 offering-") == min(offerings, 10)
    assert (", 1 of other offerings. " in text) is bool(others)


@pytest.mark.parametrize(
    ("read", "why", "said"),
    [
        (
            Read.FAILED,
            "HTTP 503\nfrom a router",
            (
                "The inventory could not be read (HTTP 503 from a router), last read as a whole at "
                "2026-01-31 05:00 UTC: nobody knows what is unaudited."
            ),
        ),
        (
            Read.PARTIAL,
            "page 7: HTTP 503",
            (
                "The inventory was read in part only (page 7: HTTP 503), last read as a whole at "
                "2026-01-31 05:00 UTC: nobody knows what is unaudited."
            ),
        ),
        (
            Read.LISTED,
            None,
            "The inventory is not read, as configured: nobody knows what is unaudited.",
        ),
    ],
)
def test_it_is_said_where_nobody_knows_what_is_unaudited(
    read: Read, why: str | None, said: str
) -> None:
    record = inventory(
        read=read,
        why=why,
        read_at=NOW if why else None,
        vanished=None,
        vanished_count=None,
        left=None,
        unaudited=None,
    )

    message = digest(record, STALE)

    assert said in " ".join(" ".join(of_the_fleet(message)).split())
    told = fleet_news(record)
    assert told.read == read
    assert [told.unaudited_count, told.new_unaudited_count] == [None, None]
    assert [told.left_count, told.left_with_problem] == [None, None]
    assert people(stored([HEALTHY], inventory=record)) == []


def test_an_inventory_that_was_never_read_as_a_whole_says_so_by_saying_no_time() -> None:
    record = inventory(read=Read.FAILED, why="HTTP 503", read_at=None)

    assert of_the_fleet(digest(record, STALE))[0] == (
        "The inventory could not be read (HTTP 503): nobody knows what is unaudited."
    )


def test_a_reason_as_long_as_a_page_is_cut() -> None:
    message = digest(inventory(read=Read.FAILED, why="x" * 300_000), STALE)

    assert message.size < 10_000
    assert f"({'x' * 254}…)" in message.body


def exclude(days: int | None, rule: str = "exclude[1]", **parts: Any) -> ExcludeUse:  # noqa: ANN401
    until = "never" if days is None else (NOW + days * DAY).date().isoformat()
    use = ExcludeUse(
        rule=rule,
        match={"org": "lab"},
        owner="sre",
        reason="torn down weekly",
        until=until,
        state=ExcludeState.ACTIVE,
        instances=12,
    )
    return msgspec.structs.replace(use, **parts)


SRE = "exclude[1] (sre: torn down weekly)"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-2, f"{SRE} ended on 2026-01-29, and takes out nothing any more."),
        (-1, f"{SRE} ended on 2026-01-30, and takes out nothing any more."),
        (0, f"{SRE} ends on 2026-01-31, and takes out 12 instances until then."),
        (1, f"{SRE} ends on 2026-02-01, and takes out 12 instances until then."),
        (6, f"{SRE} ends on 2026-02-06, and takes out 12 instances until then."),
        (7, f"{SRE} ends on 2026-02-07, and takes out 12 instances until then."),
        (8, None),
        (None, None),
    ],
)
def test_the_end_of_an_exclude_is_said_seven_days_before_and_from_then_on(
    days: int | None, said: str | None
) -> None:
    record = inventory(excluded=[exclude(days)])

    lines = lines_of(digest(record, STALE))

    assert [line for line in lines if "exclude[" in line] == ([said] if said else [])
    assert people(stored([HEALTHY], inventory=record)) == []


def test_excludes_that_end_on_the_same_day_are_said_in_their_order() -> None:
    record = inventory(excluded=[exclude(1, f"exclude[{number}]") for number in (2, 0, 1)])

    lines = lines_of(digest(record, STALE))

    ends = [line.split()[0] for line in lines if " ends on 2026-02-01" in line]
    assert ends == ["exclude[2]", "exclude[0]", "exclude[1]"]


def test_labels_that_exclude_have_each_their_own_end_and_none_is_said() -> None:
    labels = exclude(None, "label backup-audit.skip-until", until=None, owner=None, reason=None)

    assert "skip-until" not in digest(inventory(excluded=[labels]), STALE).body


def test_an_exclude_of_which_little_is_known_is_named_by_its_place() -> None:
    record = inventory(excluded=[exclude(0, owner=None, reason=None), exclude(1, reason=None)])

    assert of_the_fleet(digest(record, STALE))[:2] == [
        "exclude[1] ends on 2026-01-31, and takes out 12 instances until then.",
        "exclude[1] (sre) ends on 2026-02-01, and takes out 12 instances until then.",
    ]


@pytest.mark.parametrize("count", [9, 10, 11])
def test_at_most_ten_ends_are_said_the_first_of_all_first(count: int) -> None:
    ends = [exclude(-days, f"exclude[{days}]") for days in range(count)]

    lines = [
        line for line in lines_of(digest(inventory(excluded=ends), STALE)) if "exclude" in line
    ]

    assert [line.split()[0] for line in lines[:10]] == [
        f"exclude[{days}]" for days in reversed(range(count))
    ][:10]
    more = ["1 more excludes ended, or end within 7 days."] if count == 11 else []
    assert lines[10:] == more


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_a_run_that_is_not_a_full_one_says_nothing_of_the_fleet(scope: Scope) -> None:
    record = inventory(read=Read.LISTED, **departures(departed()), unaudited=nobodys(unaudited()))

    assert people(stored([HEALTHY], of=run(scope), inventory=record)) == []
    message = digest(record, finding(), of=run(scope))
    assert message.body == digest(None, finding(), of=run(scope)).body


# ── What runs before found, of which nobody was notified ──────────────────────────────────────────


def run_at(hours_ago: int) -> Run:
    due_at = NOW - timedelta(hours=hours_ago)
    return msgspec.structs.replace(
        run(due_at=due_at), run_id=f"{due_at:%Y%m%dT%H%M%SZ}", started_at=due_at
    )


def chain(*records: InventoryRecord, people_from: int | None = None) -> list[StoredReport]:
    """Hourly runs, the last one now, each compared with the one before.

    The messages for people of those from so many hours ago on were not taken.
    """
    store, reports = InMemoryStore(), list[StoredReport]()
    for hours_ago, record in reversed([*enumerate(reversed(records))]):
        of = run_at(hours_ago)
        alerts = alerts_from(of.due_at)
        if reports:
            alerts = msgspec.structs.replace(alerts, readers=reports[-1].head.alerts.readers)
        if people_from is not None:
            owed = min(of.due_at, NOW - timedelta(hours=people_from))
            news_from = {**alerts.news_from, Audience.PEOPLE: owed}
            alerts = msgspec.structs.replace(alerts, news_from=news_from)
        reports.append(
            stored(
                [HEALTHY],
                of=of,
                store=store,
                inventory=record,
                alerts=alerts,
                after=reports[-1] if reports else None,
            )
        )
    return reports


QUIET = inventory()
BOTH = inventory(**departures(departed("d-1", verdict=None)), unaudited=nobodys(unaudited("u-1")))


@pytest.mark.parametrize(("people_from", "said"), [(0, False), (1, False), (2, True), (3, True)])
def test_what_a_run_found_of_the_fleet_is_said_by_the_next_if_its_messages_were_not_taken(
    people_from: int, *, said: bool
) -> None:
    *_, last = chain(QUIET, BOTH, QUIET, left(departed("d-2")), people_from=people_from)

    [message] = people(last)

    lines = lines_of(message)
    before = "Of the run due 2026-01-31 03:00 UTC, whose messages were not taken:"
    assert (before in lines) is said
    assert ("- orders (d-1)" in lines, "- cache (u-1)" in lines) == (said, said)
    assert "- orders (d-2)" in lines
    reasons = {Reason.LEFT_FLEET, Reason.NEW_UNAUDITED} if said else {Reason.LEFT_FLEET}
    assert {*message.attributes["reason"]} == reasons
    if said:
        assert lines.index("- orders (d-2)") < lines.index(before) < lines.index("- orders (d-1)")
        assert message.subject == (
            "[backup-audit] test: 0 problems, 2 left the fleet, 1 new and unaudited"
        )


def test_a_run_without_news_of_its_own_says_those_of_the_run_before() -> None:
    *_, last = chain(BOTH, QUIET, people_from=1)

    [message] = people(last)

    assert "- orders (d-1)" in lines_of(message)
    assert message.attributes["reason"] == ("left_fleet", "new_unaudited")
    assert message.attributes["severity"] == "warning"


def test_the_reasons_of_all_runs_that_were_not_heard_of_are_said() -> None:
    *_, last = chain(
        QUIET, left(departed("d-1")), unaudited_by(unaudited("u-1"), count=1, new=1), QUIET,
        people_from=3,
    )  # fmt: skip

    [message] = people(last)

    assert message.attributes["reason"] == ("left_fleet", "new_unaudited")


def test_of_the_room_for_names_the_last_run_has_half_and_each_before_half_of_the_rest() -> None:
    much = left(*(departed(f"{n:02}", name="n" * 200) for n in range(99)))
    *_, last = chain(QUIET, much, much, much, people_from=3)

    [content] = contents(last, Audience.PEOPLE)

    first, second, third = (len(fleet.news.left) for fleet in content.unheard.fleets)
    assert first - 2 <= 2 * second <= first + 2
    assert second - 2 <= 2 * third <= second + 2


def test_chat_that_was_notified_hears_nothing_twice() -> None:
    *_, last = chain(BOTH, QUIET, people_from=1)

    assert list(contents(last, Audience.CHAT)) == []


@pytest.mark.parametrize("spoilt", ["gone", "damaged"])
def test_a_report_that_cannot_be_read_any_more_keeps_nobody_from_hearing(spoilt: str) -> None:
    first, last = chain(BOTH, left(departed("d-2")), people_from=1)
    assert isinstance(last.store, InMemoryStore)
    objects = last.store.objects
    if spoilt == "gone":
        del objects[first.address.key]
    else:
        objects[first.address.key] = b"{}"

    [message] = people(last)

    assert "- orders (d-2)" in lines_of(message)
    assert "d-1" not in message.body


@pytest.mark.parametrize(
    ("runs", "more"), [(REPORTS_MAX - 1, False), (REPORTS_MAX, False), (REPORTS_MAX + 1, True)]
)
def test_a_day_of_hourly_runs_is_read_again_and_no_more(runs: int, *, more: bool) -> None:
    *_, last = chain(BOTH, *[QUIET] * (runs - 1), people_from=runs)

    [message] = people(last)

    assert ("- orders (d-1)" in lines_of(message)) is not more
    said = "found of the fleet is in their reports alone."
    assert (said in " ".join(message.body.split())) is more


NASTY = (None, "", "a\r\n\x1b[2Jb", "\U0001f600" * 255, '"' * 255, "\x01" * 255, "\\" * 255)
MANY = [msgspec.structs.replace(STALE, guid=f"guid-{n:04}", reason="x" * 900) for n in range(150)]


# 300 of any are more than a message holds; lists as long as they can be are of short names.
COUNTS = [
    *((count, nasty) for count in (0, 1) for nasty in NASTY),
    *((300, nasty) for nasty in NASTY[2:4]),
    *(rest(30, nasty) for nasty in NASTY),
    *(rest(300, nasty) for nasty in NASTY[:2] + NASTY[4:]),
    *(rest(5_000, nasty) for nasty in NASTY[:3]),
]


@pytest.mark.parametrize(("count", "nasty"), COUNTS, ids=range(len(COUNTS)))
@pytest.mark.parametrize("problems", [[], MANY], ids=["well", "bad"])
def test_every_digest_fits_and_stays_on_its_lines_whatever_names_the_fleet_has(
    count: int, nasty: str | None, problems: list[Finding]
) -> None:
    place = dict.fromkeys(("name", "org", "space", "offering", "plan"), nasty)
    gone = departed("g" * 200, EXCLUDED, **place, owner="\U0001f600" * 200)
    nobodys_own = unaudited("u" * 200, **place)
    record = inventory(
        **departures(*[gone] * count),
        unaudited=nobodys(*[nobodys_own] * count),
        excluded=[exclude(0, owner="o" * 200, reason="r" * 200)] * count,
    )
    report = stored([HEALTHY, *problems], inventory=record, warnings=[(nasty or "") * 9] * count)

    messages = people(report)

    assert len(messages) == bool(count or problems)
    for message in messages:
        assert message.size <= DIGEST_MAX
        assert all(line.isprintable() for line in message.body.split("\n"))
        assert message.subject
        assert len(message.subject) < 100


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_a_document_with_any_names_is_half_a_message_at_the_most(nasty: str | None) -> None:
    place: dict[str, Any] = dict.fromkeys(("name", "org", "space", "offering", "plan"), nasty)
    record = inventory(
        **departures(*[departed("g" * 200, **place)] * 200),
        unaudited=nobodys(*[unaudited("u" * 200, **place)] * 200),
    )

    news = fleet_news(record)

    assert len(msgspec.json.encode(news)) <= SIZE_MAX // 2 + 1_000
    assert news.left
    assert news.new_unaudited


def drifted(left_it: Departed, nobodys_own: UnauditedInstance) -> InventoryRecord:
    return inventory(**departures(left_it), unaudited=nobodys(nobodys_own))


names = st.none() | st.text(max_size=255)


@settings(max_examples=25)
@given(names, names, names, names, names)
def test_whatever_names_are_there_they_stay_on_their_lines(
    name: str | None,
    org: str | None,
    space: str | None,
    offering: str | None,
    plan: str | None,
) -> None:
    where: dict[str, Any] = {
        "name": name,
        "org": org,
        "space": space,
        "offering": offering,
        "plan": plan,
    }
    left_it, nobodys_own = departed(**where), unaudited(**where)

    lines = digest(drifted(left_it, nobodys_own)).body.split("\n")

    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if "  " in line.strip()]
    assert len(lines) <= len(digest(drifted(departed(), unaudited())).body.split("\n"))
