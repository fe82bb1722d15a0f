"""Explains why an instance is audited, or is not, and which place states each demand on it.

It is read from what decides in a run: the same matches, and the same statements in their order.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from backup_audit.fleet.configuration import Configuration
from backup_audit.fleet.fields import UUID
from backup_audit.fleet.inventory import InventoryReader, Read, Reading, ServiceInstance
from backup_audit.fleet.matching import Match
from backup_audit.fleet.policy import BUILT_IN_STATEMENT, DEMANDS, Statement, stating
from backup_audit.fleet.selection import Selection, Standing
from backup_audit.fleet.selectors import indexes, why_fits
from backup_audit.fleet.self_service import SKIP_UNTIL, within

_EXPLAINED_MAX = 100  # instances of one name; Lambda's answer takes 6 MB


class StatedDemand(msgspec.Struct, frozen=True, kw_only=True):
    """A demand as a place states it. `rule` is the name of a rule that has one.

    `why` says why the place is about the instance: what of a rule fits, which bounds hold.
    """

    place: str
    rule: str | None
    value: str | int
    why: str | None


class ExplainedDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force, and what would be without it, in the order of precedence.

    `in_force` is null for an owner that nobody states. What is built in is not listed beside
    anything else.
    """

    demand: str
    in_force: StatedDemand | None
    otherwise: list[StatedDemand] = msgspec.field(name="else")


class ExplainedExclude(msgspec.Struct, frozen=True, kw_only=True):
    """An exclude that fits, or a label backup-audit.skip-until. Its last day is in UTC.

    `until` is a day or "never"; owner and reason are null for a label.
    """

    place: str
    why: str | None
    owner: str | None
    reason: str | None
    until: str
    is_over: bool


class ExplainedMute(msgspec.Struct, frozen=True, kw_only=True):
    """A mute that is for the instance; one that is not over is in force."""

    place: str
    owner: str
    reason: str
    until: date
    is_over: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an instance is audited, or is not, and what is in force for it.

    `type` to `created_at` (UTC) are the foundation's, null if it does not list the instance, or our
    client may not see them. `place` decided the standing, null if nothing names the instance, and
    `why` says what of it fits. An instance that is not audited has no demands and no mutes.
    `excludes` are all that fit, the one that decides first.
    """

    guid: str
    name: str | None
    type: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    created_at: datetime | None
    standing: Standing
    place: str | None
    why: str | None
    excludes: list[ExplainedExclude]
    demands: list[ExplainedDemand]
    mutes: list[ExplainedMute]
    policy_notes: list[str]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the question why an instance is audited, or is not.

    `asked` is its GUID, or its name, which an instance in each space may have: 100 are explained at
    the most, of `found`. `read` and `why` say whether the foundation could be asked; `said` is
    there if nothing can be explained, or not all.
    """

    schema_version: Literal[1] = 1
    asked: str
    found: int
    instances: list[Explanation]
    read: Read
    why: str | None
    said: str | None


def explain(
    asked: str, configuration: Configuration, reader: InventoryReader, today: date
) -> Explained:
    """Explain an instance, by its GUID or by a name that the list or the foundation gives it."""
    selection = Selection(configuration, today)
    labels, is_guid = selection.label_keys, UUID.fullmatch(asked) is not None
    guids = [one.guid for one in configuration.instances if asked in (one.guid, one.name)]
    if is_guid and asked not in guids:
        guids.append(asked)
    readings = [reader.look_up(guids, labels)] if guids else []
    if not is_guid and asked not in guids:
        readings.append(reader.named(asked, labels))
    rows = {guid: row for reading in readings for guid, row in reading.rows.items()}
    worst = min(readings, key=lambda one: one.read is Read.COMPLETE)
    if worst.read is not Read.COMPLETE:  # of what is neither listed nor read nothing is known
        guids = [guid for guid in guids if guid in rows or selection.matching.is_listed(guid)]
    found = [*guids, *sorted(rows.keys() - set(guids))]
    return Explained(
        asked=asked,
        found=len(found),
        instances=[explained(selection, guid, rows.get(guid)) for guid in found[:_EXPLAINED_MAX]],
        read=worst.read,
        why=worst.why_in_short,
        said=_unexplained(worst, found, rows),
    )


def _unexplained(
    reading: Reading, guids: Sequence[str], rows: Mapping[str, ServiceInstance]
) -> str | None:
    if len(guids) > _EXPLAINED_MAX:
        return f"only the first {_EXPLAINED_MAX} are explained: ask by GUID for another"
    if reading.read is not Read.COMPLETE:
        unknown = "it is not known whether the instance is audited"
        what = "what it knows of the instance is missing here" if guids else unknown
        return f"the foundation could not be asked: {what}"
    if not guids:
        return (
            "our client sees no instance of this name: names are case-sensitive, and instances in "
            "spaces where the client has no role are hidden from it"
        )
    if not rows:
        return "our client sees no such instance in the foundation"
    return None


def explained(selection: Selection, guid: str, row: ServiceInstance | None) -> Explanation:
    """Explain an instance; `row` is what this run read of it, None if it is not there.

    Nothing is counted: the selection decides the same afterwards.
    """
    match = selection.matching.of(guid, row)
    standing, place = selection.standing_of(match)
    is_audited = standing is Standing.AUDITED
    entry = None if match.listed is None else selection.configuration.instances[match.listed]
    known = row if row is not None else ServiceInstance(guid=guid, type="")
    return Explanation(
        guid=guid,
        name=(entry.name if entry is not None else None) or known.name,
        type=known.type or None,
        org=known.org,
        space=known.space,
        offering=known.offering,
        plan=known.plan,
        created_at=known.created_at,
        standing=standing,
        place=place,
        why=_why_standing(selection, match, standing, known),
        excludes=_excludes(selection, match, known),
        demands=_demands(selection, match, known) if is_audited else [],
        mutes=_mutes(selection, guid, row) if is_audited else [],
        policy_notes=list(selection.notes_on(match)),
    )


def _why_standing(
    selection: Selection, match: Match, standing: Standing, row: ServiceInstance
) -> str | None:
    if standing is Standing.AUDITED and match.listed is None:
        return why_fits(selection.configuration.discover[next(indexes(match.discovering))], row)
    return None


def _excludes(selection: Selection, match: Match, row: ServiceInstance) -> list[ExplainedExclude]:
    configured = selection.configuration.exclude
    excludes = [
        ExplainedExclude(
            place=f"exclude[{index}]",
            why=why_fits(configured[index].match, row),
            owner=configured[index].owner,
            reason=configured[index].reason,
            until=configured[index].until,
            is_over=not configured[index].is_in_force(selection.today),
        )
        for bits in (match.excluding, match.ended)
        for index in indexes(bits)
    ]
    if (last_day := match.stated.skip_until) is not None:
        excludes.append(
            ExplainedExclude(
                place=f"label {SKIP_UNTIL}",
                why=None,
                owner=None,
                reason=None,
                until=last_day.isoformat(),
                is_over=last_day < selection.today,
            )
        )
    return excludes


def _demands(selection: Selection, match: Match, row: ServiceInstance) -> list[ExplainedDemand]:
    statements = selection.matching.statements(match)
    return [
        _demand(selection.configuration, demand, stating(statements, demand), row)
        for demand in DEMANDS
    ]


def _demand(
    configuration: Configuration,
    demand: str,
    statements: Sequence[Statement],
    row: ServiceInstance,
) -> ExplainedDemand:
    stated = [_stated(configuration, demand, one, row) for one in statements]
    return ExplainedDemand(
        demand=demand,
        in_force=stated[0] if stated else None,
        otherwise=[one for one in stated[1:] if one.place != BUILT_IN_STATEMENT.place],
    )


def _stated(
    configuration: Configuration, demand: str, statement: Statement, row: ServiceInstance
) -> StatedDemand:
    rule, why = None, None
    if statement.rule is not None:
        rule = configuration.rules[statement.rule]
        why = f"{why_fits(rule.match, row)} fits"
    elif statement.place.startswith("label ") and configuration.self_service is not None:
        why = within(configuration.self_service, demand)
    return StatedDemand(
        place=statement.place,
        rule=rule.name if rule is not None else None,
        value=getattr(statement.demands, demand),
        why=why,
    )


def _mutes(selection: Selection, guid: str, row: ServiceInstance | None) -> list[ExplainedMute]:
    configured = selection.configuration.mutes
    mutes = [
        ExplainedMute(
            place=f"mutes[{index}]",
            owner=configured[index].owner,
            reason=configured[index].reason,
            until=configured[index].until,
            is_over=not configured[index].is_in_force(selection.today),
        )
        for index in selection.matching.mutes(guid, row)
    ]
    return sorted(mutes, key=lambda mute: mute.is_over)
