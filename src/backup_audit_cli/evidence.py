"""Says what the reports of a period prove, for somebody who was not there."""

import hashlib
import os
import re
from datetime import date
from pathlib import Path

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.strict import shown
from backup_audit.text import printable
from backup_audit.wiring import now
from backup_audit_cli.archives import archive_at, place_or_bucket
from backup_audit_cli.evidence_page import page_of
from backup_audit_cli.evidence_text import text_of
from backup_audit_cli.exit_status import ExitStatus, WrongUsage
from backup_audit_cli.gathering import Gathering
from backup_audit_cli.output import complain, hand_over, say
from backup_audit_cli.period import Period, PeriodEvidence
from backup_audit_cli.runs import Root, roots

_STDOUT = "-"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for; without `where`, the bucket of the environment.

    `html` is the file for a page, "-" for standard output.
    """

    first: str
    last: str
    where: str | None = None
    as_json: bool = False
    html: str | None = None


def evidence(asked: Asked) -> ExitStatus:
    """Print the evidence of each root; raise WrongUsage or ReportStoreFailed."""
    made_at = now()
    period = period_of(asked.first, asked.last, made_at.date())
    where = place_or_bucket(asked.where, os.environ)
    found = list(roots(archive_at(where)))
    if not found:
        none_below = "no reports/dt=... is below it"
        raise ReportStoreFailed(f"{where} holds no reports: {none_below}")
    _refuse_two_on_stdout(asked, len(found))
    is_proved = True
    for number, root in enumerate(found):
        proof = Gathering(root, period).of(made_at)
        is_proved &= proof.is_proved
        if asked.html == _STDOUT:
            _hand_over(proof)
            continue
        if number and not asked.as_json:
            say("")
        _print(proof, as_json=asked.as_json)
        if asked.html is not None:
            _write(proof, _file_of(Path(asked.html), root, alone=len(found) == 1))
    return ExitStatus.FINE if is_proved else ExitStatus.WRONG


def _refuse_two_on_stdout(asked: Asked, foundations: int) -> None:
    """Refuse a page on standard output beside anything else."""
    if asked.html != _STDOUT:
        return
    if asked.as_json:
        raise WrongUsage("--html -: standard output is for --json already; name a file")
    if foundations > 1:
        raise WrongUsage(f"--html -: {foundations:,} foundations have a page each, name a file")


def period_of(first: str, last: str, today: date) -> Period:
    """The days that were asked for; raise WrongUsage if they are none, or have not begun."""
    period = Period(_day("FROM", first), _day("TO", last))
    if period.last < period.first:
        raise WrongUsage(f"FROM {first} is after TO {last}: both days are included")
    if period.first > today:
        raise WrongUsage(f"FROM {first} is in the future (today is {today}, UTC): no run proves it")
    return period


def _day(name: str, text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise WrongUsage(f"{name} {shown(text)} is not a day such as 2026-01-31")


def _print(proof: PeriodEvidence, *, as_json: bool) -> None:
    if as_json:
        say(msgspec.json.format(msgspec.json.encode(proof), indent=2).decode())
    else:
        say("\n".join(map(printable, text_of(proof))))


def _file_of(file: Path, root: Root, *, alone: bool) -> Path:
    """The file of a root: of several, each has its path in the name."""
    if alone:
        return file
    path = "-".join(filter(None, root.path.split("/"))) or "root"
    return file.with_name(f"{file.stem}-{path}{file.suffix}")


def _hand_over(proof: PeriodEvidence) -> None:
    """The page on standard output, and nothing else there."""
    body = page_of(proof)
    hand_over(body)
    _say_written("standard output", body)


def _write(proof: PeriodEvidence, file: Path) -> None:
    body = page_of(proof)
    try:
        file.write_bytes(body)
    except BrokenPipeError:
        return  # a pipe, whose reader has seen enough
    except OSError as error:
        raise WrongUsage(f"--html {file}: {error.strerror}") from None
    _say_written(f"{file}", body)


def _say_written(where: str, body: bytes) -> None:
    complain(f"written: {where}, sha256 {hashlib.sha256(body).hexdigest()}")
