"""Explains an instance to a person at a shell: whether it is audited, why, and what is in force."""

import json
from collections.abc import Iterator

import msgspec

from backup_audit.fleet.explain import (
    Explained,
    ExplainedDemand,
    ExplainedExclude,
    Explanation,
    StatedDemand,
)
from backup_audit.fleet.inventory import MANAGED, Read
from backup_audit.fleet.selection import Standing
from backup_audit.text import one_line, printable
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.function import answer_to
from backup_audit_cli.output import say

_COLUMN = 13  # characters of the first column
_LONGEST = 300  # characters of a text of others: names have 255 at most


def explain(what: str, *, as_json: bool) -> ExitStatus:
    """Ask the function, print its answer; raise AuditError."""
    document = answer_to({"explain": what})
    answer = msgspec.convert(document, Explained)
    say(json.dumps(document, indent=2) if as_json else "\n".join(lines_of(answer)))
    return status_of_explanation(answer)


def status_of_explanation(answer: Explained) -> ExitStatus:
    """How the question ended: it is in order if each is audited or excluded, as it was meant."""
    if answer.read is not Read.COMPLETE:
        return ExitStatus.UNREACHABLE
    is_fine = answer.instances and all(map(_is_fine, answer.instances))
    return ExitStatus.FINE if is_fine else ExitStatus.WRONG


def _is_fine(one: Explanation) -> bool:
    """Whether it is there, is audited or excluded, and no label of it is ignored."""
    is_there = one.type is not None
    return is_there and one.standing is not Standing.UNAUDITED and not one.policy_notes


def lines_of(answer: Explained) -> Iterator[str]:
    """The whole answer in lines, each safe for a terminal."""
    for number, one in enumerate(answer.instances):
        if number:
            yield ""
        yield from text_of(one, was_asked=answer.read is Read.COMPLETE)
    missing = [text for text in (answer.said, answer.why) if text is not None]
    if missing:
        yield one_line(f"{answer.asked}: {': '.join(missing)}", 2 * _LONGEST)


def text_of(one: Explanation, *, was_asked: bool = True) -> Iterator[str]:
    """An explanation in lines, each safe for a terminal. `was_asked`: the foundation could be."""
    yield printable(_head(one, was_asked=was_asked))
    yield _row(one.standing, _standing(one))
    values = [str(demand.in_force.value) for demand in one.demands[:-1] if demand.in_force]
    width = max(map(len, values), default=0)
    for demand in one.demands:
        yield _row(demand.demand, _demand(demand, width))
    if one.standing is Standing.AUDITED:
        yield _row("muted", _muted(one))
    for note in one.policy_notes:
        yield _row("note", note)


def _row(key: str, text: str) -> str:
    return printable(f"{key:<{_COLUMN}}{text}")


def _head(one: Explanation, *, was_asked: bool) -> str:
    guid = _shown(one.guid)
    named = guid if one.name is None else f"{_shown(one.name)} ({guid})"
    if one.type is None:
        missing = "our client sees no such instance in the foundation"
        return (
            f"{named}  {missing if was_asked else 'not known: the foundation could not be asked'}"
        )
    where = f"{_shown(one.org)} / {_shown(one.space)}"
    service = " ".join(_shown(name) for name in (one.offering, one.plan) if name is not None)
    made = f"created {one.created_at:%Y-%m-%d}" if one.created_at is not None else None
    kind = service or one.type
    parts = (where, kind, made, "in the foundation now")
    return f"{named}  {' · '.join(part for part in parts if part is not None)}"


def _shown(name: str | None) -> str:
    return "?" if name is None else one_line(name, _LONGEST)


def _standing(one: Explanation) -> str:
    active = [exclude for exclude in one.excludes if not exclude.is_over]
    ended = ", ".join(f"{past.place} ended {past.until}" for past in one.excludes if past.is_over)
    over = f" ({ended})" if ended else ""
    if one.standing is Standing.EXCLUDED:
        return f"{_exclude(active[0])}{over}"
    if one.standing is Standing.UNAUDITED:
        if one.type not in (None, MANAGED):
            return f"{one.type}: only what is listed is audited of those"
        return f"neither listed nor discovered{over}"
    because = f"{one.place}: {one.why} fits" if one.why else f"{one.place}"
    if active:
        return f"{because}, though {active[0].place} fits"
    return f"{because}; excluded by none{over}"


def _exclude(exclude: ExplainedExclude) -> str:
    why = f": {exclude.why} fits" if exclude.why else ""
    reason = f' · "{exclude.reason}", {exclude.owner}' if exclude.reason else ""
    return f"{exclude.place}{why}{reason} · until {exclude.until}"


def _demand(demand: ExplainedDemand, width: int) -> str:
    if demand.in_force is None:
        return "nobody"
    otherwise = ", ".join(f"{_place(one)} {one.value}" for one in demand.otherwise)
    rest = f"   (else {otherwise})" if otherwise else ""
    value = str(demand.in_force.value).ljust(width)
    why = demand.in_force.why
    mark = ", " if demand.in_force.place.startswith("label ") else ": "
    because = f"{mark}{why}" if why else ""
    return f"{value}   {_place(demand.in_force)}{because}{rest}"


def _place(one: StatedDemand) -> str:
    return f'{one.place} "{one.rule}"' if one.rule else one.place


def _muted(one: Explanation) -> str:
    active = [mute for mute in one.mutes if not mute.is_over]
    ended = ", ".join(f"{past.place} ended {past.until}" for past in one.mutes if past.is_over)
    if not active:
        return f"no ({ended})" if ended else "no"
    mute = active[0]
    return f'{mute.place}: "{mute.reason}", {mute.owner} · until {mute.until}'
