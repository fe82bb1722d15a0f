"""Writes the generated parts of README.md and of the pages it leads to: `make readme`."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from unittest import mock

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.explain import Explanation, explained
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.selection import Selection, Standing
from backup_audit.telemetry import METRICS
from backup_audit_cli import evidence, show
from backup_audit_cli.__main__ import main as command_line
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.explain import text_of
from tools.local_cloud.fleets import sample
from tools.local_cloud.local_run import run_locally
from tools.local_cloud.names import guid_of
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)
from tools.report_samples import READ_AT, write_month
from tools.template import Template

README = Path("README.md")
CONFIGURE = Path("docs/configure.md")
INVOKE = Path("docs/invoke.md")
REPORTS = Path("docs/reports.md")
NOTIFICATIONS = Path("docs/notifications.md")
OPERATE = Path("docs/operate.md")
COMMAND_LINE = Path("docs/command-line.md")
PAGES = (README, CONFIGURE, INVOKE, REPORTS, NOTIFICATIONS, OPERATE, COMMAND_LINE)

_TRIED = 5  # instances
_CHECKSUM_LINES = 3  # with the heading
_PROBLEM_LINES = 6  # of the table: its head, and a problem with its place

_ADDRESS = re.compile(r"file:///\S+/report\.html")

_PART = re.compile(r"<!-- generated: ([\w-]+) -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def regenerated(text: str) -> str:
    """A page with its generated parts as they are today.

    A run that differs in nothing but its figures is left as it stands.
    """
    return _PART.sub(lambda part: _marked(part[1], _today(part[1], part[2].strip())), text)


def generated_parts(text: str) -> dict[str, str]:
    """The generated parts as they stand in a page, by name."""
    return {part[1]: part[2].strip() for part in _PART.finditer(text)}


def masked(text: str) -> str:
    """A run's output without what differs from run to run: figures, times, ids, and their width."""
    text = re.sub(r"-[0-9a-f]{8}\b", "-#", text)
    text = re.sub(r"[0-9][0-9.,:]*", "#", text)
    text = re.sub(r"(# (d|h|min|s)\b ?)+", "# ", text)
    return " ".join(text.split())


def make_run() -> str:
    """What `make run` prints on its first day, cut to what a visitor looks for."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "tools.local_cloud",
                "--event",
                root / "events/manual-full.json",
            ],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(root), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=True,
        )
    return f"```text\n{essential(run.stdout)}\n```"


def essential(printed: str) -> str:
    """A run's head, its worst problem, what was published, and its page; `…` for the rest."""
    lines = printed.splitlines()
    problems = _first(lines, "  verdict .* reason")
    page = _ADDRESS.sub("file:///…/report.html", lines[_first(lines, "Open the report")])
    shown = [
        *(lines[_first(lines, "run ")], "  …"),
        *(*lines[problems : problems + _PROBLEM_LINES], "  …", ""),
        *(lines[_first(lines, "Published")], "  …", page),
    ]
    return "\n".join(shown)


def _first(lines: list[str], pattern: str) -> int:
    return next(at for at, line in enumerate(lines) if re.match(pattern, line))


def answer() -> str:
    """What the function answers to a full run of the same fleet."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_locally({}, "sample", Path(folder), lambda *_: contextlib.nullcontext())
    return f"```json\n{json.dumps(outcome.answer, indent=2)}\n```"


def metrics() -> str:
    """The table of metrics."""
    rows = [f"| `{metric.name}` | {metric.unit.value} | {metric.meaning} |" for metric in METRICS]
    return "\n".join(["| metric | unit | meaning |", "|---|---|---|", *rows])


def parameters() -> str:
    """The table of parameters with the variables that they set."""
    template = Template.read()
    variables = template.variables_by_parameter()
    head = ["| parameter | default | meaning | variable |", "|---|---|---|---|"]
    rows = [
        f"| `{name}` | {_default(parameter)} | {_one_line(parameter['Description'])} "
        f"| {_code(variables.get(name))} |"
        for name, parameter in template.parameters.items()
    ]
    return "\n".join(head + rows)


def tried() -> str:
    """What `backup-audit try` prints of a few instances of the sample fleet."""
    instances = sample(datetime.now(UTC)).instances[:_TRIED]
    with SimulatedCloudController(instances) as foundation:
        printed = commanded(
            *("try", "--api", foundation.url, "--client-id", CLIENT_ID),
            *(instance.guid for instance in instances),
            piped=CLIENT_SECRET,
        )
    return f"```text\n{printed.strip()}\n```"


def checked() -> str:
    """What `backup-audit check` prints of a doubtful document, and of a wrong one."""
    guid = guid_of(0)
    right = {"instances": [guid, {"guid": "orders-db"}, guid_of(1)[:-1]]}
    wrong = {"instances": [guid, guid], "defaults": {"max_age": 26}}
    printed = ""
    with tempfile.TemporaryDirectory() as folder:
        for document in (right, wrong):
            path = Path(folder, "configuration.json")
            path.write_text(json.dumps(document, indent=2), "utf-8")
            printed += commanded("check", str(path)).replace(f"{folder}/", "")
    return f"```text\n{printed.strip()}\n```"


def shown() -> str:
    """What `backup-audit show` prints of a month's last report."""
    return f"```text\n{_of_the_month('show').strip()}\n```"


def proved() -> str:
    """What `backup-audit evidence` prints of that month; checksums change with any version."""
    printed = _of_the_month("evidence", "2026-11-01", "2026-11-30").strip()
    *lines, last = printed.split("\n\n")
    few = "\n".join([*last.splitlines()[:_CHECKSUM_LINES], "…"])
    text = re.sub(r"\b[0-9a-f]{64}\b", "…", "\n\n".join([*lines, few]))
    return f"```text\n{text}\n```"


def _of_the_month(*arguments: str) -> str:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(show, "now", return_value=READ_AT),
        mock.patch.object(evidence, "now", return_value=READ_AT),
    ):
        write_month(Path(folder))
        return commanded(*arguments, folder).replace(folder, "copy")


def sample_of(page: Path, name: str) -> str:
    """The block of a page that is marked as a sample of this name."""
    [block] = re.findall(
        rf"<!-- sample: {name} -->\n```\w+\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    return str(block)


# A foundation for the samples: none of it is decided by the same places as another.
INVENTORY = tuple(
    ServiceInstance(
        guid=guid_of(number),
        name=name,
        org=org,
        space=space,
        offering=offering,
        plan=plan,
        created_at=datetime(2024, 2, 11, tzinfo=UTC),
        labels=labels,
    )
    for number, (name, org, space, offering, plan, labels) in enumerate(
        [
            ("orders-db", "shop-eu", "prod", "p.mysql", "db-gold", {}),
            ("carts", "shop-eu", "prod", "p.redis", "cache-small", {}),
            ("orders-db", "shop-us", "prod", "p.mysql", "db-small", {}),
            ("reports", "finance", "prod", "postgres", "pg-gold", {"tier": "scratch"}),
            ("trial", "finance", "sandbox-7", "postgres", "pg-gold", {}),
            ("load", "research", "load-3", "postgres", "pg-small", {}),
            ("smoke", "p-mysql", "test", "p.mysql", "db-small", {}),
        ]
    )
)
THAT_DAY = date(2026, 12, 1)


def foundation_sample() -> Selection:
    """The sample for a whole foundation, on a day of its own."""
    document = sample_of(CONFIGURE, "foundation").encode()
    return Selection(parse_configuration(document, str(CONFIGURE)), THAT_DAY)


def decisions() -> str:
    """What the sample for a whole foundation decides."""
    selection = foundation_sample()
    head = [
        "| instance | audited | `max_age` | `min_backups` | `owner` | muted |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join(head + [_decision(explained(selection, one.guid, one)) for one in INVENTORY])


def _decision(one: Explanation) -> str:
    [row] = [row for row in INVENTORY if row.guid == one.guid]
    labels = "".join(f" `{key}={value}`" for key, value in row.labels.items())
    instance = f"`{one.name}` in {one.org} / {one.space}, {one.offering} {one.plan}{labels}"
    stated = {demand.demand: demand.in_force for demand in one.demands}
    cells = [
        f"`{found.value}`, {found.place}" if (found := stated.get(demand)) else ""
        for demand in ("max_age", "min_backups", "owner")
    ]
    muted = ", ".join(mute.place for mute in one.mutes)
    is_audited = one.standing is Standing.AUDITED
    place = f"{'yes' if is_audited else 'no'}, {one.place}"
    return "| " + " | ".join([instance, place, *cells, muted]) + " |"


def explained_sample() -> str:
    """What `backup-audit explain` prints of an instance of that foundation."""
    printed = "\n".join(text_of(explained(foundation_sample(), INVENTORY[0].guid, INVENTORY[0])))
    return f"```text\n{printed}\n```"


def commanded(*arguments: str, piped: str = "") -> str:
    """What the command line prints to stdout, 100 columns wide."""
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "100"}),
        mock.patch("sys.stdin", io.StringIO(piped)),
        contextlib.redirect_stdout(io.StringIO()) as printed,
        contextlib.suppress(SystemExit),
    ):
        command_line(list(arguments))
    return printed.getvalue()


def help_of(command: str) -> str:
    """The arguments of a command; its exit statuses are those of all."""
    printed = commanded(command, "--help").partition("\nexit status:")[0]
    return f"```text\n{printed.strip()}\n```"


def exit_statuses() -> str:
    """The table of exit statuses."""
    rows = [f"| {status.value} | {status.meaning} |" for status in ExitStatus]
    return "\n".join(["| status | says |", "|---|---|", *rows])


RUNS = ("make-run", "answer", "try")
PARTS: dict[str, Callable[[], str]] = {
    "make-run": make_run,
    "answer": answer,
    "try": tried,
    "check": checked,
    "decisions": decisions,
    "explain": explained_sample,
    "show": shown,
    "evidence": proved,
    "exit-statuses": exit_statuses,
    "help-try": partial(help_of, "try"),
    "help-check": partial(help_of, "check"),
    "help-run": partial(help_of, "run"),
    "help-explain": partial(help_of, "explain"),
    "help-show": partial(help_of, "show"),
    "help-evidence": partial(help_of, "evidence"),
    "help-verify": partial(help_of, "verify"),
    "metrics": metrics,
    "parameters": parameters,
}


def _today(name: str, stands: str) -> str:
    content = PARTS[name]()
    return stands if name in RUNS and masked(content) == masked(stands) else content


def _marked(name: str, content: str) -> str:
    return f"<!-- generated: {name} -->\n{content}\n<!-- end -->"


def _default(parameter: dict[str, object]) -> str:
    if "Default" not in parameter:
        return "required"
    return _code(parameter["Default"]) or "none"


def _code(value: object) -> str:
    return "" if value is None or value == "" else f"`{value}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(regenerated(page.read_text("utf-8")), "utf-8")
