"""The command `backup-audit`, also `python -m backup_audit_cli`."""

import argparse
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from backup_audit import __version__
from backup_audit.errors import AuditError, named
from backup_audit_cli.documents import MEANING
from backup_audit_cli.exit_status import ExitStatus, WrongUsage, status_of
from backup_audit_cli.output import complain

_STATUSES = "exit status:\n" + "\n".join(
    f"  {status.value:<4}{status.meaning}" for status in ExitStatus
)

_TRY = """\
Ask a foundation for the backups of some instances, judge the answers as the audit does, and print
verdicts and reasons. Nothing is written, and neither AWS nor a configuration is needed:

  cf oauth-token | backup-audit try --api https://api.sys.example.com GUID ...

The token is read from standard input. With --client-id it is the secret of that client instead; at
a terminal, a prompt asks for it. No proxy and no CA is taken from the environment.
"""
_CHECK = """\
Say what is wrong with a configuration: everything for which a run would refuse it, with positions,
then what a run would only warn of, such as names for GUIDs, rules and mutes without effect; how
much there is of what; its size, and whether it fits into SSM. A file is checked offline: what its
selectors fit, only a run can say. The exit status is 1 for a fault, for a GUID that is none, and
for a glob in discover, exclude or mutes that is hardly meant as one: by those no instance is found,
and an all-clear would be wrong. Other warnings leave it at 0.
"""
_RUN = """\
Run one audit here, with the settings and the AWS credentials of the environment. The answer goes to
stdout. Log lines and metrics go to stderr, as on Lambda; a terminal gets only what went wrong.
"""
_EXPLAIN = """\
Say why an instance is audited, or is not, and which place of the configuration states each demand
on it: read from what decides in a run, with the settings and the AWS credentials of the
environment. Nothing is written, and nobody is notified. The exit status is 1 if nobody audits the
instance, if a label of it is ignored, or if there is no such instance, listed or not.
"""
_VERIFY = """\
Compare every object of every committed run with the run's manifest, its line for queries with its
report, and every run with what the runs after it say of it.
"""
_SHOW = """\
Show the newest full report of each foundation below a place: the answer first, then the problems,
the worst first, the trend, what ended, who is late. The exit status is 1 if an instance has a
problem, muted or not, if the run is incomplete, or if full runs have failed since; with --owner or
--org, only problems of their instances count. To read a bucket takes s3:ListBucket and
s3:GetObject.
"""
_EVIDENCE = """\
Say what the reports of a period prove: which days have a complete full run and which have none, the
lowest coverage, whether the chain of reports holds, the problems that opened and ended, mutes and
excludes in force, and the sha256 of every report that this rests on. Both days are included, in
UTC. The exit status is 0 only if every day has a complete full run, the chain holds, and no run of
the period is gone; coverage is stated, and not judged.
"""
_WHERE = "s3://bucket[/prefix] or a folder, with reports/ below it"
_OR_BUCKET = f"{_WHERE} (default: REPORT_BUCKET and REPORT_PREFIX of the environment)"


def new_parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    parser = argparse.ArgumentParser(
        prog="backup-audit",
        description="Audits the backups of Cloud Foundry service instances.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, short: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=short,
            description=description,
            epilog=_STATUSES,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    trial = command("try", "ask a foundation, judge, print; write nothing", _TRY)
    trial.add_argument("guids", metavar="GUID", nargs="+", help="a service instance's GUID")
    trial.add_argument(
        "--api", required=True, metavar="URL", help="such as https://api.sys.example.com"
    )
    trial.add_argument("--client-id", metavar="ID", help="a client of the foundation's UAA")
    trial.add_argument(
        "--ca", metavar="FILE", help="certificates that replace the public CAs, PEM or DER"
    )
    trial.add_argument(
        "--proxy", metavar="URL", help="HTTP proxy, such as http://proxy.example.com:3128"
    )
    trial.add_argument(
        "--max-age",
        metavar="DURATION",
        help="how old the newest backup may be, such as 26h, 7d, 90m (default: 26h)",
    )
    trial.set_defaults(carry_out=_try)

    check = command("check", "is a configuration right?", _CHECK)
    check.add_argument("where", metavar="FILE", help=MEANING)
    check.set_defaults(carry_out=_check)

    run = command("run", "run one audit here", _RUN)
    run.add_argument("event", metavar="EVENT", help=MEANING)
    run.set_defaults(carry_out=_run)

    why = command("explain", "why is an instance audited, or not?", _EXPLAIN)
    why.add_argument("what", metavar="WHAT", help="a service instance's GUID, or its name")
    why.add_argument("--json", action="store_true", help="print the function's answer")
    why.set_defaults(carry_out=_explain)

    shown = command("show", "what does the newest report say?", _SHOW)
    shown.add_argument("where", metavar="WHERE", nargs="?", help=_OR_BUCKET)
    shown.add_argument("--owner", metavar="NAME", help="only instances of this owner")
    shown.add_argument("--org", metavar="NAME", help="only instances in this org")
    shown.add_argument("--run", metavar="ID", help="this run, of any scope, and not the newest")
    shown.add_argument("--all", action="store_true", help="print all problems, not the first 25")
    shown.add_argument("--json", action="store_true", help="print a JSON document of each report")
    shown.set_defaults(carry_out=_show)

    verify = command("verify", "are stored reports what was written?", _VERIFY)
    verify.add_argument("where", metavar="WHERE", help=_WHERE)
    verify.set_defaults(carry_out=_verify)

    proof = command("evidence", "what do the reports of a period prove?", _EVIDENCE)
    proof.add_argument("first", metavar="FROM", help="the first day (UTC), such as 2026-10-01")
    proof.add_argument("last", metavar="TO", help="the last day (UTC), such as 2026-12-31")
    proof.add_argument("where", metavar="WHERE", nargs="?", help=_OR_BUCKET)
    proof.add_argument(
        "--json", action="store_true", help="print a JSON document of each foundation"
    )
    proof.add_argument(
        "--html", metavar="FILE", help="write a page to print and to sign, too; - prints it instead"
    )
    proof.set_defaults(carry_out=_evidence)
    return parser


def main(arguments: list[str] | None = None) -> ExitStatus:
    """Carry out one command; return its exit status."""
    chosen = new_parser().parse_args(arguments)
    try:
        status: ExitStatus = chosen.carry_out(chosen)
    except WrongUsage as error:
        complain(f"error: {error}")
        return ExitStatus.USAGE
    except AuditError as error:
        complain(f"error: {named(error)}")
        return status_of(error)
    except KeyboardInterrupt:
        complain("interrupted")
        return ExitStatus.INTERRUPTED
    except Exception:  # noqa: BLE001  # Python's own status for it is 1, which means something else
        traceback.print_exc()
        return ExitStatus.BUG
    return status


# Each is imported when it is called: `verify` needs no rich, and `try` no AWS.


@contextmanager
def _needs_rich() -> Iterator[None]:
    """Raise WrongUsage if what is imported in the block needs rich, and it is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise WrongUsage("rich is not installed: pip install 'backup-audit[cli]'") from None


def _try(chosen: argparse.Namespace) -> ExitStatus:
    with _needs_rich():
        from backup_audit_cli.try_out import Wanted, try_out
    return try_out(
        Wanted(
            api=chosen.api,
            guids=chosen.guids,
            client_id=chosen.client_id,
            ca=chosen.ca,
            proxy=chosen.proxy,
            max_age=chosen.max_age,
        )
    )


def _check(chosen: argparse.Namespace) -> ExitStatus:
    from backup_audit_cli.check import check

    return check(chosen.where)


def _run(chosen: argparse.Namespace) -> ExitStatus:
    from backup_audit_cli.run import run

    return run(chosen.event)


def _explain(chosen: argparse.Namespace) -> ExitStatus:
    from backup_audit_cli.explain import explain

    return explain(chosen.what, as_json=chosen.json)


def _show(chosen: argparse.Namespace) -> ExitStatus:
    with _needs_rich():
        from backup_audit_cli.show import Asked, show
    from backup_audit_cli.glance import Wanted

    return show(
        Asked(
            where=chosen.where,
            wanted=Wanted(owner=chosen.owner, org=chosen.org),
            run_id=chosen.run,
            all_of_them=chosen.all,
            as_json=chosen.json,
        )
    )


def _evidence(chosen: argparse.Namespace) -> ExitStatus:
    from backup_audit_cli.evidence import Asked, evidence

    return evidence(
        Asked(
            first=chosen.first,
            last=chosen.last,
            where=chosen.where,
            as_json=chosen.json,
            html=chosen.html,
        )
    )


def _verify(chosen: argparse.Namespace) -> ExitStatus:
    from backup_audit_cli.verify import verify

    return verify(chosen.where)


if __name__ == "__main__":
    sys.exit(main())
