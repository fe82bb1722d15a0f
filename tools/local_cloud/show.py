"""What a person sees of a run, or of any other event."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any
from urllib.parse import quote

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import Audience
from backup_audit.report.changes import Ended
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.report import WholeReport
from backup_audit.text import printable
from backup_audit_cli.explain import lines_of
from backup_audit_cli.output import say
from backup_audit_cli.table import Row, new_console, plain_lines, row_of, styled, table_of
from tools.local_cloud.aws import BUCKET, WrittenFile
from tools.local_cloud.inventory_lines import inventory_lines
from tools.local_cloud.judged import EverJudged
from tools.local_cloud.local_run import FIRST_TEXT, LOG, MESSAGES, DaysBefore, Outcome
from tools.local_cloud.messages import SentMessage
from tools.local_cloud.scaled import said

_ROWS_MAX = 40
_SHOWN = ("name", "guid", "org", "space", "offering", "plan", "reason")
_EMAIL_LINES_MAX = 40
_ENDED_BY = {Ended.HEALTHY: Verdict.HEALTHY, Ended.IN_GRACE: Verdict.IN_GRACE}
_READERS = {
    Audience.PEOPLE: "for people",
    Audience.EVENTS: "for programs",
    Audience.CHAT: "for chat",
}


def show(outcome: Outcome, out: Path) -> None:
    """Print it all to stdout; plain text if that is no terminal."""
    console = new_console()
    with console.capture() as captured:
        _show(console, outcome, out)
    say(plain_lines(captured.get()))


def _show(console: Console, outcome: Outcome, out: Path) -> None:
    if outcome.before:
        console.print(f"{_said_before(outcome.before)}\n", soft_wrap=True)
    if outcome.error:
        _show_error(console, outcome.error)
    if outcome.explained:
        console.print("\n".join([*lines_of(outcome.explained), ""]), soft_wrap=True)
    if outcome.answer:
        _show_answer(console, outcome.answer, outcome)
    _show_messages(console, outcome.messages, out)
    _show_files(console, outcome.written, out)
    if page := _page(outcome.answer, out):
        console.print(Text(f"\nOpen the report: {page}", style="bold"), soft_wrap=True)


def _said_before(days: DaysBefore) -> str:
    """Such as "the days before, 2026-11-12 to 2026-11-25: 14 audited"."""
    said = [f"{days.runs:,} audited"]
    if days.failed:
        said.append(f"{days.failed:,} failed")
    if days.left_out:
        said.append(f"{days.left_out:,} left out, for the folder has a later run")
    return f"the days before, {days.first} to {days.last}: {', '.join(said)}"


def _show_answer(console: Console, answer: dict[str, Any], outcome: Outcome) -> None:
    if answer.get("already_running"):
        run_id = answer["run_id"]
        console.print(f"another full run, {run_id}, is at work: nothing was asked\n")
    elif "counts" in answer:
        _show_run(console, answer, outcome)
    else:
        console.print(f"{json.dumps(answer, indent=2)}\n", soft_wrap=True)


def _show_run(console: Console, answer: dict[str, Any], outcome: Outcome) -> None:
    _show_head(console, answer, outcome.seconds)
    for warning in outcome.report.plan.warnings if outcome.report else answer["warnings"]:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
    if outcome.faster > 1:
        console.print(said(outcome.faster), soft_wrap=True)
    if outcome.ever_judged:
        _show_ever_judged(console, outcome.ever_judged)
    for happened in outcome.happened:
        console.print(f"on the foundation, since the first run: {happened}", soft_wrap=True)
    _show_counts(console, answer["counts"])
    _show_problems(console, _rows(answer, outcome.report))
    if inventory := _inventory(answer, outcome.report):
        _show_inventory(console, inventory)


def _show_error(console: Console, error: Exception) -> None:
    console.print(Text("The run failed.", style="bold red"))
    console.print(f"{type(error).__name__}: {printable(str(error))}\n", soft_wrap=True)


def _show_head(console: Console, answer: dict[str, Any], seconds: float) -> None:
    coverage = answer["coverage"]
    marks = [
        "dry run" if answer["dry_run"] else "",
        "repeated: an earlier delivery wrote the report" if answer["repeated"] else "",
        "" if answer["complete"] else f"incomplete: {answer['why_incomplete']}",
    ]
    parts = [
        f"run {answer['run_id']}",
        f"{answer['scope']} scope",
        f"{coverage['audited']} of {coverage['configured']} audited ({coverage['percent']:g} %)",
        *filter(None, marks),
        f"{seconds:.1f} s",
    ]
    console.print(Text(" · ".join(parts), style="bold"), soft_wrap=True)


def _show_ever_judged(console: Console, ever: EverJudged) -> None:
    runs = "1 run" if ever.runs == 1 else f"{ever.runs} runs"
    never = ever.instances - ever.judged
    rest = (
        f"{never} not yet; what was not reached comes first in the next run"
        if never
        else "none is left"
    )
    console.print(
        f"{ever.judged} of {ever.instances} instances judged at least once in {runs}; {rest}",
        soft_wrap=True,
    )


def _show_counts(console: Console, counts: dict[str, int]) -> None:
    table = Table("verdict", box=box.SIMPLE)
    table.add_column("instances", justify="right")
    for verdict, count in counts.items():
        table.add_row(styled(Verdict(verdict)) if count else verdict, str(count))
    console.print(table)


def _rows(answer: dict[str, Any], report: WholeReport | None) -> list[Row]:
    """The problems, then those that a verdict ended; a dry run has only its answer.

    What ended since its instance left the fleet is said with the inventory.
    """
    if report is None:
        return [
            Row(verdict=Verdict(p["verdict"]), **{name: p[name] for name in _SHOWN})
            for p in answer["problems"]
        ]
    problems = [row_of(one, change_of(one)) for one in report.findings if one.verdict.is_problem]
    resolved = [
        Row(
            verdict=_ENDED_BY[r.ended],
            name=r.name,
            guid=r.guid,
            org=r.org,
            space=r.space,
            offering=r.offering,
            plan=r.plan,
            change="resolved",
            reason=f"was {r.verdict} since {r.since:%Y-%m-%d %H:%M} UTC",
        )
        for r in report.resolved
        if r.resolved_at == report.run.due_at and r.ended in _ENDED_BY
    ]
    return problems + resolved


def _inventory(answer: dict[str, Any], report: WholeReport | None) -> InventoryRecord | None:
    """That of the report; a dry run has only its answer."""
    if report is not None:
        return report.inventory
    return msgspec.convert(answer["inventory"], InventoryRecord | None)


def change_of(finding: Finding) -> str:
    """How a finding changed, if it was compared, and whether it is muted."""
    return ", ".join(filter(None, (finding.change, "muted" if finding.mute else None)))


def _show_problems(console: Console, rows: Sequence[Row]) -> None:
    if not rows:
        console.print("No problem, and none that ended.\n")
        return
    console.print(table_of(rows[:_ROWS_MAX], console.width))
    if len(rows) > _ROWS_MAX:
        console.print(f"… and {len(rows) - _ROWS_MAX} more in report.json\n")


def _show_inventory(console: Console, record: InventoryRecord) -> None:
    head, *lines = inventory_lines(record)
    console.print(Text(head, style="bold"), soft_wrap=True)
    console.print("\n".join([*lines, ""]), soft_wrap=True)


def _show_messages(
    console: Console, published: Mapping[Audience, Sequence[SentMessage]], out: Path
) -> None:
    """What people get, as they get it; of the others' messages, how many there are."""
    counts = ", ".join(f"{len(published[one])} {for_whom}" for one, for_whom in _READERS.items())
    console.print(Text(f"Published to SNS: {counts}", style="bold"), soft_wrap=True)
    messages = published[Audience.PEOPLE]
    for sent in messages[:_ROWS_MAX]:
        attributes = ", ".join(
            f"{name}={_plain(sent.attributes[name])}" for name in sent.attributes
        )
        console.print(f"  {sent.subject}\n    {attributes}", soft_wrap=True)
    if len(messages) > _ROWS_MAX:
        console.print(f"  … and {len(messages) - _ROWS_MAX} more in {MESSAGES[Audience.PEOPLE]}")
    if not messages:
        console.print()
    else:
        console.print("\n  The first one's text:\n")
        lines = messages[0].body.splitlines()
        if len(lines) > _EMAIL_LINES_MAX:
            lines[_EMAIL_LINES_MAX:] = ["", f"… the whole text is in {out}/{FIRST_TEXT}"]
        console.print(indent("\n".join([*lines, ""]), "    "), soft_wrap=True)


def _plain(value: str | Iterable[str]) -> str:
    return value if isinstance(value, str) else "|".join(value)


def _show_files(console: Console, written: Sequence[WrittenFile], out: Path) -> None:
    console.print(Text(f"Files in {out}", style="bold"))
    folder = f"s3/{BUCKET}"
    plans_last = sorted(written, key=lambda file: "/plans/" in file.key)
    for file in plans_last[:_ROWS_MAX]:
        note = "" if file.is_new else ", changed"
        console.print(f"  {folder}/{file.key}  ({file.bytes:,} bytes{note})", soft_wrap=True)
    if len(written) > _ROWS_MAX:
        console.print(f"  … and {len(written) - _ROWS_MAX} more")
    if not written:
        console.print(f"  nothing new in {folder}")
    for audience, for_whom in _READERS.items():
        console.print(f"  {MESSAGES[audience]}  (all messages {for_whom})")
    console.print(f"  {LOG}  (log lines, metrics)")


def _page(answer: dict[str, Any] | None, out: Path) -> str | None:
    """The address of the run's page on this disk, None if it has none."""
    report = (answer or {}).get("report")
    if report is None:
        return None
    page = (out / "s3" / BUCKET / report["key"]).with_name("report.html").resolve()
    return f"file://{quote(page.as_posix(), safe='/=')}" if page.exists() else None
