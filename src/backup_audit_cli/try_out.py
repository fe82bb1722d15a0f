"""Tries the audit on a foundation: asks, judges, prints. It writes nothing, and needs no AWS."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.progress import track
from rich.text import Text

from backup_audit.errors import (
    ApiUnreachable,
    AuditError,
    CredentialsRefused,
    InvalidEvent,
    InvalidSettings,
)
from backup_audit.fleet.configuration import Configuration, Instance
from backup_audit.fleet.doubts import doubt_about_guid
from backup_audit.fleet.run import AuditRequest, Run, parse_event, plan_run
from backup_audit.fleet.selection import Selection
from backup_audit.judge.finding import EvidenceSummary, Finding, finding_of
from backup_audit.judge.verdict import CF_NO_ROUTE, Verdict
from backup_audit.probe.authorization import (
    CA_HINT,
    UNKNOWN_CA,
    ClientCredentials,
    ReadyHeader,
)
from backup_audit.probe.pacing import Deadline
from backup_audit.report.report import Ceilings
from backup_audit.settings import ApiUrl, ProxyUrl
from backup_audit.strict import read_strictly
from backup_audit.wiring import Access, connected, now
from backup_audit_cli.documents import read_document
from backup_audit_cli.exit_status import ExitStatus, NoEndpoint, WrongUsage
from backup_audit_cli.output import say
from backup_audit_cli.standard_input import client_secret, piped_token
from backup_audit_cli.table import new_console, plain_lines, row_of, table_of

_NOTHING_CONFIGURED = Configuration()
_CEILINGS = Ceilings(concurrency=1, workers=32, requests_per_second=None)
_LONGEST = 60 * 60  # seconds

# The options that stand for settings and for keys of the event, in errors.
_OPTIONS = {
    CA_HINT: "",
    "CF_API_URL": "--api",
    "CA_BUNDLE": "--ca",
    "PROXY_URL": "--proxy",
    "instance_guids": "GUID",
    "max_age": "--max-age",
}


class _Addresses(msgspec.Struct, frozen=True):
    api: ApiUrl = msgspec.field(name="--api")
    proxy: ProxyUrl | None = msgspec.field(name="--proxy", default=None)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for.

    `ca` is a file or an address. Without `client_id` a token is read, without `max_age` the policy
    is the built-in one.
    """

    api: str
    guids: Sequence[str]
    client_id: str | None = None
    ca: str | None = None
    proxy: str | None = None
    max_age: str | None = None


def try_out(wanted: Wanted) -> ExitStatus:
    """Ask, judge and print; raise WrongUsage, and AuditError if nothing could be found out."""
    addresses, request = _checked(wanted)
    ca = read_document(wanted.ca, "--ca") if wanted.ca else None
    access = Access(
        api_url=addresses.api.rstrip("/"),
        credentials=_credentials(wanted),
        ca=ca,
        proxy_url=addresses.proxy,
    )
    run = plan_run(request, now(), "try")
    began = time.monotonic()
    try:
        findings = list(_findings(access, _instances(request, run), run))
    except InvalidSettings as error:
        raise WrongUsage(_as_options("; ".join(error.faults))) from None
    except AuditError as error:
        error.args = (_as_options(str(error)) + _advice(error, wanted),)
        raise
    if all(_has_no_endpoint(finding) for finding in findings):
        raise _no_endpoint(access.api_url, findings[0].evidence)
    _show(new_console(), findings, time.monotonic() - began)
    return ExitStatus.WRONG if any(f.verdict.is_problem for f in findings) else ExitStatus.FINE


def _checked(wanted: Wanted) -> tuple[_Addresses, AuditRequest]:
    """The addresses, and the dry run of these instances; raise WrongUsage with all faults.

    What the function's event may not say is wrong usage here.
    """
    stated = {"--api": wanted.api} | ({"--proxy": wanted.proxy} if wanted.proxy else {})
    event: dict[str, object] = {"instance_guids": list(wanted.guids), "dry_run": True}
    if wanted.max_age is not None:
        event["max_age"] = wanted.max_age
    addresses, faults = read_strictly(stated, _Addresses)
    request = None
    try:
        request = parse_event(event, now())
    except InvalidEvent as error:
        faults += error.faults
    if addresses is None or request is None:
        raise WrongUsage(_as_options("; ".join(faults)))
    return addresses, request


def _instances(request: AuditRequest, run: Run) -> list[Instance]:
    """The instances asked for, under the policy asked for."""
    selection = Selection(_NOTHING_CONFIGURED, run.started_at.date(), max_age=request.max_age)
    decisions = (
        selection.decide(guid, None, is_fresh=True, asked=True)
        for guid in request.instance_guids or ()
    )
    return [one.instance for one in decisions if one.instance is not None]


def _credentials(wanted: Wanted) -> ReadyHeader | ClientCredentials:
    return piped_token(now()) if wanted.client_id is None else client_secret(wanted.client_id)


def _findings(access: Access, instances: Sequence[Instance], run: Run) -> Iterator[Finding]:
    """Judge every instance; a terminal sees how far it is."""
    terminal = Console(stderr=True)
    with connected(access, _CEILINGS, Deadline.after(_LONGEST)) as engine:
        for instance, evidence in track(
            engine.probe(instances),
            "asking",
            total=len(instances),
            console=terminal,
            transient=True,
            disable=not terminal.is_terminal,
        ):
            yield finding_of(instance, evidence, run, None)


def _as_options(text: str) -> str:
    for name, option in _OPTIONS.items():
        text = text.replace(name, option)
    return text


def _advice(error: AuditError, wanted: Wanted) -> str:
    """What to do, where a setting on Lambda has another answer than an option."""
    if UNKNOWN_CA.search(str(error)):
        in_vain = f"{wanted.ca} does not have it" if wanted.ca else "it is given by --ca FILE"
        return f"; the certificate is that of a CA that is not known here: {in_vain}"
    if isinstance(error, ApiUnreachable) and wanted.proxy is None and _has_proxy(os.environ):
        return "; HTTPS_PROXY of the environment is not used: a proxy is given by --proxy"
    if isinstance(error, CredentialsRefused) and wanted.client_id is None:
        return f"; cf login -a {wanted.api}, then cf oauth-token, gives another token"
    return ""


def _has_proxy(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("HTTPS_PROXY") or environ.get("https_proxy"))


def _no_endpoint(api_url: str, said: EvidenceSummary) -> WrongUsage | NoEndpoint:
    """Say that there is none; below a path it is rather the address that is wrong."""
    none = f"{api_url} has no endpoint for backups ({said.title} {said.code})"
    if path := urlsplit(api_url).path:
        return WrongUsage(f"{none}: try --api without {path}")
    return NoEndpoint(f"{none}: it is Tanzu's, and nothing can be audited without it")


def _has_no_endpoint(finding: Finding) -> bool:
    evidence = finding.evidence
    return (evidence.http_status, evidence.code) == (404, CF_NO_ROUTE)


def _show(console: Console, findings: Sequence[Finding], seconds: float) -> None:
    """The head, and all instances: the worst first, as in reports."""
    worst_first = sorted(findings, key=lambda f: (f.verdict.rank, f.guid))
    rows = [row_of(finding) for finding in worst_first]
    counted = Counter(f.verdict for f in worst_first)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    asked = "1 instance" if len(findings) == 1 else f"{len(findings)} instances"
    head = Text(f"{asked} asked in {seconds:.1f} s: {said}", style="bold")
    with console.capture() as captured:
        console.print(head, soft_wrap=True)
        console.print(table_of(rows, console.width))
        for finding in worst_first:
            doubt = doubt_about_guid(finding.guid)
            if doubt and finding.verdict is Verdict.NOT_FOUND:
                console.print(Text(f"  {doubt}"), soft_wrap=True)
    say(plain_lines(captured.get()))
