"""What the README and its pages say in commands, tables and samples is what there is."""

import json
import re
import shlex
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jq
import msgspec
import pytest

from backup_audit.errors import InvalidEvent
from backup_audit.fleet.configuration import ConfigurationDocument, parse_configuration
from backup_audit.fleet.doubts import EXCLUDE_ENDS_SOON, doubts_about
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.labels import faults_of_labels
from backup_audit.fleet.policy import BUILT_IN, DEMANDS
from backup_audit.fleet.run import Scope, parse_event
from backup_audit.fleet.selection import Selection
from backup_audit.fleet.self_service import LABELS
from backup_audit.judge.finding import Change
from backup_audit.judge.under_way import EXCUSED_FOR
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.fleet_news import (
    DEPARTED_MAX,
    UNAUDITED_MAX,
    WARNINGS_MAX,
)
from backup_audit.probe.giving_up import (
    ATTEMPTS_MAX,
    FAILURES_IN_A_QUARTER,
    PATIENCE,
    PATIENCE_AT_START,
    QUARTERS,
    REFUSALS_MAX,
    RENEWALS_MAX,
    THROTTLED_IN_A_ROW,
    THROTTLED_MAX,
)
from backup_audit.probe.http import BODY_MAX
from backup_audit.probe.pacing import FLOOR, Pace
from backup_audit.probe.paging import FRUITLESS_MAX, GUIDS_MAX, PER_PAGE
from backup_audit.probe.schedule import ASIDE_AFTER
from backup_audit.report.alerts import Reason
from backup_audit.report.drift import FleetRow, InventoryRecord
from backup_audit_cli.__main__ import new_parser
from tools.commands import aws_commands, code_blocks, shell_lines, unknown_words
from tools.readme import (
    COMMAND_LINE,
    CONFIGURE,
    INVENTORY,
    INVOKE,
    NOTIFICATIONS,
    OPERATE,
    PAGES,
    PARTS,
    README,
    REPORTS,
    commanded,
    foundation_sample,
    generated_parts,
    sample_of,
)
from tools.scale import inventory_requests
from tools.template import Template

TEXTS = {page: page.read_text("utf-8") for page in PAGES}
ALL = "\n".join(TEXTS.values())
DOCUMENTS = [*PAGES, *sorted(set(Path("docs").glob("**/*.md")) - set(PAGES))]


def section(page: Path, heading: str) -> str:
    return TEXTS[page].split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def table_column(page: Path, heading: str, column: int = 0) -> list[str]:
    """A column of the first table below a heading."""
    table = re.search(r"(^\|.*\|\n)+", section(page, heading), re.MULTILINE)
    assert table
    rows = re.findall(r"^\|(.*)\|$", table[0], re.MULTILINE)[2:]
    return [row.split("|")[column].strip() for row in rows]


def table_column_of(text: str) -> list[str]:
    """The first column of the first table of a text."""
    table = re.search(r"(^\|.*\|\n)+", text, re.MULTILINE)
    assert table
    return [row.split("|")[1] for row in table[0].splitlines()[2:]]


def anchors(path: Path) -> set[str]:
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    }


# ── The README ────────────────────────────────────────────────────────────────────────────────────


def test_the_readme_is_short_with_the_promise_and_what_to_try_in_its_first_screen() -> None:
    text = TEXTS[README]

    assert len(text.split()) <= 900
    assert len(text.partition("no wrong all-clear")[0].split()) <= 60
    assert len(text.partition("    make run\n")[0].split()) <= 200
    assert text.index("docs/runbook.md") < text.index("## Try it")
    assert text.index("](docs/report.png)") < text.index("## Try it")
    assert len(TEXTS[README].splitlines()) <= 130


def test_every_page_in_docs_is_found_from_the_readme() -> None:
    led_to = set(re.findall(r"\]\((docs/[\w-]+\.md)", TEXTS[README]))

    assert led_to == {str(path) for path in Path("docs").glob("*.md")}


# ── Generated parts ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (OPERATE, "metrics"),
        (CONFIGURE, "parameters"),
        (COMMAND_LINE, "exit-statuses"),
        (CONFIGURE, "decisions"),
        (COMMAND_LINE, "check"),
        (COMMAND_LINE, "explain"),
        (COMMAND_LINE, "help-explain"),
        (COMMAND_LINE, "help-try"),
        (COMMAND_LINE, "help-check"),
        (COMMAND_LINE, "help-run"),
        (COMMAND_LINE, "help-verify"),
    ],
)
def test_a_generated_table_is_up_to_date(page: Path, name: str) -> None:
    assert generated_parts(TEXTS[page])[name] == PARTS[name](), "run: make readme"


def test_every_generated_part_stands_in_one_page() -> None:
    assert sorted(generated_parts(ALL)) == sorted(PARTS)
    assert ALL.count("<!-- generated: ") == len(PARTS)


# ── Configure ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("everything", (0, 1, 0, 0, 0)),
        ("by-hand", (2, 0, 0, 0, 1)),
        ("foundation", (0, 1, 2, 3, 1)),
        ("self-service", (0, 2, 0, 0, 0)),
    ],
)
def test_a_sample_configuration_is_right_and_means_what_it_says(
    name: str, counts: tuple[int, ...]
) -> None:
    configuration = parse_configuration(sample_of(CONFIGURE, name).encode(), name)

    parts = (
        configuration.instances,
        configuration.discover,
        configuration.exclude,
        configuration.rules,
        configuration.mutes,
    )
    assert tuple(map(len, parts)) == counts
    assert doubts_about(configuration, date(2026, 12, 1)) == ()


def test_the_sample_for_a_whole_foundation_leaves_nothing_without_effect() -> None:
    selection = foundation_sample()

    for row in INVENTORY:
        selection.decide(row.guid, row, is_fresh=True)

    assert selection.warnings() == ()


def test_the_labels_of_the_sample_state_what_self_service_lets_them() -> None:
    document = sample_of(CONFIGURE, "self-service").encode()
    lines = shell_lines(section(CONFIGURE, "The document"))
    orders, scratch = [
        ServiceInstance(guid="a", labels=dict(label.split("=") for label in line.split()[4:]))
        for line in lines
        if line.startswith("cf set-label service-instance ")
    ]
    selection = Selection(parse_configuration(document, "test"), date(2026, 12, 1))

    instance = selection.decide("a", orders, is_fresh=True).instance
    skipped = msgspec.structs.replace(
        scratch, labels={**scratch.labels, "backup-audit.audit": "yes"}
    )

    assert instance is not None
    assert instance.policy.max_age_source == "label backup-audit.max-age"
    assert instance.owner == "team-orders"
    assert instance.policy_notes == ()
    assert selection.decide("b", skipped, is_fresh=True).place == "label backup-audit.skip-until"


def test_every_key_of_the_document_and_every_label_is_described() -> None:
    text = section(CONFIGURE, "The document")
    keys = {field.encode_name for field in msgspec.structs.fields(ConfigurationDocument)}
    described = set(re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE))

    assert keys - {"schema_version", "$schema"} <= described
    assert set(DEMANDS) | set(LABELS.values()) <= described


def test_the_forms_of_a_label_selector_are_those_that_are_read() -> None:
    forms = re.findall(r"^ *\| `(!?env[^`:]*)` \|", TEXTS[CONFIGURE], re.MULTILINE)

    assert len(forms) == 6
    for form in forms:
        assert list(faults_of_labels(form)) == []


def test_the_stacks_of_several_foundations_share_nothing_but_the_bucket() -> None:
    stacks = tomllib.loads(sample_of(CONFIGURE, "stacks"))
    del stacks["version"]
    given = [
        dict(one.split("=", 1) for one in stack["deploy"]["parameters"]["parameter_overrides"])
        for stack in stacks.values()
    ]
    names = [stack["global"]["parameters"]["stack_name"] for stack in stacks.values()]

    assert len(set(names)) == len(names) == 2
    for parameters in given:
        assert parameters.keys() <= Template.read().parameters.keys()
    for name in ("CfApiUrl", "ConfigUri", "Foundation", "ReportPrefix"):
        assert len({parameters[name] for parameters in given}) == 2


def test_the_instances_of_a_space_become_a_configuration() -> None:
    [program] = re.findall(r"jq '([^']+)'", section(CONFIGURE, "The document"))
    answer = {"resources": [{"guid": "guid-1", "name": "orders-db", "type": "managed"}]}

    [document] = jq.compile(program).input_value(answer).all()

    [instance] = parse_configuration(json.dumps(document).encode(), "jq").instances
    assert (instance.guid, instance.name) == ("guid-1", "orders-db")


def test_the_built_in_policy_is_the_one_described() -> None:
    assert BUILT_IN.max_age == timedelta(hours=26)
    assert BUILT_IN.min_backups == 1
    assert not BUILT_IN.grace
    defaults = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", TEXTS[CONFIGURE], re.MULTILINE)
    said = {name: text for name, text in defaults if name in {"max_age", "min_backups", "grace"}}
    assert said["max_age"].startswith("`26h`")
    assert said["min_backups"] == "`1`"
    assert said["grace"] == "none"


def test_the_secret_of_the_readme_is_one_that_is_described() -> None:
    [program] = re.findall(r"jq -Rs '([^']+)'", TEXTS[README])

    secret = jq.compile(f"tostring | {program}").input_value('a"b\\c').first()

    assert secret == {"client_id": "backup-audit", "client_secret": 'a"b\\c'}
    described = set(re.findall(r"`(\w+)`", " ".join(table_column(CONFIGURE, "The secret"))))
    assert described == {"client_id", "client_secret", "authorization", "heartbeat_url"}


# ── Command line ──────────────────────────────────────────────────────────────────────────────────


def test_every_command_has_its_section() -> None:
    sections = re.findall(r"^## (.*)$", TEXTS[COMMAND_LINE], re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(table_column_of(TEXTS[COMMAND_LINE])))
    commands = re.findall(r"^    (\w+) {2,}", commanded("--help"), re.MULTILINE)

    assert sections == ["Exit status", *(name.title() for name in commands)]
    assert named == commands


def test_verdicts_end_with_the_status_that_is_described() -> None:
    head = r"\| verdict \| `try`, `run` and `show` \|\n"
    [rows] = re.findall(head + r".*\n((?:\|.*\n)+)", TEXTS[COMMAND_LINE])
    described = {
        name: int(status)
        for verdicts, status in re.findall(r"^\| (.*) \| (\d)", rows, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", verdicts)
    }

    assert described == {verdict.value: int(verdict.is_problem) for verdict in Verdict}


def test_the_commands_of_the_page_are_understood() -> None:
    typed = re.findall(
        r"backup-audit (\w+ .*)$", "\n".join(code_blocks(TEXTS[COMMAND_LINE], "sh")), re.MULTILINE
    )

    assert len(typed) == len(table_column_of(TEXTS[COMMAND_LINE]))
    for line in typed:
        new_parser().parse_args(shlex.split(line))


# ── Invoke ────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_file_is_explained() -> None:
    explained = re.findall(r"\]\(\.\./(events/[\w/-]+\.json)\)", TEXTS[INVOKE])

    assert sorted(explained) == sorted(str(path) for path in Path("events").rglob("*.json"))


def test_a_sample_with_a_date_gets_todays_by_a_documented_command() -> None:
    samples = {
        str(path): json.loads(path.read_text("utf-8"))
        for path in Path("events").glob("*")
        if path.is_file()
    }
    dated = [
        name for name, sample in samples.items() if "scheduled_time" in sample or "as_of" in sample
    ]
    programs = {
        name: text for text, name in re.findall(r"jq '([^']+)' (events/\S+)", TEXTS[INVOKE])
    }

    assert dated
    for name in dated:
        with pytest.raises(InvalidEvent):
            parse_event(samples[name], datetime.now(UTC))
        filled_in = jq.compile(programs[name]).input_value(samples[name]).first()
        assert parse_event(filled_in, datetime.now(UTC)).scope is Scope.FULL


def test_the_sample_answer_has_the_shape_of_an_answer() -> None:
    sample: dict[str, Any] = json.loads(
        generated_parts(TEXTS[INVOKE])["answer"].removeprefix("```json").removesuffix("```")
    )

    assert sample["scope"] == "full"
    assert sum(sample["counts"].values()) == sample["coverage"]["configured"]
    explained = {name.strip("`") for name in table_column(INVOKE, "The answer")}
    assert explained <= sample.keys()


# ── Reports ───────────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_verdicts_has_each_once() -> None:
    assert sorted(table_column(REPORTS, "Verdicts")) == sorted(f"`{one}`" for one in Verdict)


def test_what_is_notified_is_said_with_its_severity() -> None:
    notified = zip(
        table_column(REPORTS, "Verdicts"), table_column(REPORTS, "Verdicts", 2), strict=True
    )

    assert dict(notified) == {
        f"`{verdict}`": f"yes, {verdict.severity}" if verdict.is_problem else "no"
        for verdict in Verdict
    }


def test_each_key_of_the_inventory_and_of_a_line_of_the_fleet_is_explained() -> None:
    heading = "The inventory in a report"
    keys = re.findall(r"`(\w+)`", " ".join(table_column(REPORTS, heading)))
    [fleet] = re.findall(r"`fleet\.jsonl` is [^.]*\. [^.]*\.", section(REPORTS, heading))

    assert keys == list(InventoryRecord.__struct_fields__)
    assert set(FleetRow.__struct_fields__) <= set(re.findall(r"`(\w+)`", fleet))


def test_every_change_is_explained() -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", section(REPORTS, "The life of a problem"), re.MULTILINE)

    [changes] = [table for table in tables if table.startswith("| change |")]
    assert set(re.findall(r"^\| `(\w+)` \|", changes, re.MULTILINE)) == set(Change)


# ── Notifications ─────────────────────────────────────────────────────────────────────────────────

VALUES: dict[str, set[str]] = {
    "event": {"digest", "run_failed", "problem", "group", "run"},
    "verdict": set(Verdict),
    "change": set(Change),
    "severity": set(Severity),
    "reason": set(Reason),
}


def test_the_attributes_of_messages_are_those_described() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(table_column(NOTIFICATIONS, "Attributes"))))

    assert named == VALUES.keys() | {"foundation", "instance_guid", "owner", "schema_version"}
    assert len(named) <= 10


def test_every_event_is_said_with_the_moment_at_which_it_is_published() -> None:
    events = table_column(NOTIFICATIONS, "What is published when")

    assert {name.strip("`") for name in events} == VALUES["event"]


def test_every_reason_of_a_digest_is_said() -> None:
    reasons = table_column(NOTIFICATIONS, "What is news")

    assert {name.strip("`") for name in reasons} == set(Reason)


def test_the_figures_of_what_a_digest_names_are_the_codes() -> None:
    said = " ".join(section(NOTIFICATIONS, "What a digest says of the fleet").split())

    assert f"Up to {DEPARTED_MAX} are named, those with an open problem first" in said
    assert f"warnings stand there too, {WARNINGS_MAX} at most" in said
    assert f"once, {UNAUDITED_MAX} by name" in said
    assert f"end within {EXCLUDE_ENDS_SOON.days} days" in said
    assert f"for {EXCUSED_FOR // timedelta(hours=1)} hours" in TEXTS[NOTIFICATIONS]


def test_what_is_news_of_the_fleet_is_said() -> None:
    news = table_column(NOTIFICATIONS, "What a digest says of the fleet")

    assert {name.strip("`") for name in news} == {
        Reason.LOST_ROLE,
        Reason.LEFT_FLEET,
        Reason.NEW_UNAUDITED,
        Reason.FIRST_UNAUDITED,
    }


# ── Cloud Controller ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said",
    [
        f"silent for {ASIDE_AFTER:.0f} seconds moves aside",
        f"A run begins with {int(Pace(1_000).limit)}.",
        f"to no fewer than {FLOOR}",
        f"once {THROTTLED_IN_A_ROW} instances in a row were throttled",
        f"sent at most {ATTEMPTS_MAX} times, after 429 at most {THROTTLED_MAX}",
        f"at most {RENEWALS_MAX} times a run",
        f"refused for {REFUSALS_MAX} instances in a row",
        f"from {QUARTERS * FAILURES_IN_A_QUARTER} instances, two from each quarter",
        f"After {PATIENCE:.0f} seconds ({PATIENCE_AT_START:.0f}, if",
        f"read up to {BODY_MAX // 2**20} MiB",
        f"a page of {PER_PAGE:,} after the other",
        f"{GUIDS_MAX} GUIDs at a time where",
        f"{inventory_requests(10_000)} requests for 10,000 instances and",
        f"and {inventory_requests(100_000)} for 100,000",
        f"After {FRUITLESS_MAX} such requests in a row, and after a third of the run's time",
    ],
)
def test_the_figures_of_how_the_api_is_asked_are_the_codes(said: str) -> None:
    assert said in " ".join(Path("docs/cloud-controller.md").read_text("utf-8").split())


# ── Commands and links ────────────────────────────────────────────────────────────────────────────


def test_every_make_target_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", Path("Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"`make ([a-z0-9-]+)\b|^ *make ([a-z0-9-]+)\b", ALL, re.MULTILINE))

    flat = {target for pair in named for target in pair if target}
    assert {"run", "test", "check", "help", "verify"} <= flat
    assert flat <= targets


@pytest.mark.parametrize("page", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", page.read_text("utf-8"))

    for path, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("command", aws_commands(ALL), ids=lambda command: " ".join(command[1:4]))
def test_an_aws_command_is_one_that_the_cli_knows(command: list[str]) -> None:
    assert unknown_words(command) == set()


def test_no_aws_command_is_overlooked() -> None:
    assert len(aws_commands(ALL)) == len(re.findall(r"\baws [a-z0-9]", "\n".join(shell_lines(ALL))))


def test_the_sam_commands_name_what_the_template_and_samconfig_have() -> None:
    template = Template.read()
    commands = [line for line in shell_lines(ALL) if line.startswith("sam ")]

    invoked = [line.split() for line in commands if line.startswith("sam remote invoke")]
    assert invoked
    for words in invoked:
        assert words[3] in template.resources
        assert Path(words[words.index("--event-file") + 1]).exists()
    known = Path("samconfig.toml").read_text() + sample_of(CONFIGURE, "stacks")
    for environment in re.findall(r"--config-env (\w+)", ALL):
        assert f"[{environment}." in known


def test_the_deployment_of_the_readme_gives_what_has_no_default_and_nothing_unknown() -> None:
    parameters = Template.read().parameters
    lines = "\n".join(shell_lines(TEXTS[README]))
    [given] = re.findall(r"sam deploy --parameter-overrides (.*)", lines)
    names = {word.partition("=")[0] for word in given.split()}

    assert names <= parameters.keys()
    assert {name for name, one in parameters.items() if "Default" not in one} <= names
    assert len(names) == 6


def test_a_parameter_that_is_named_with_a_value_is_one() -> None:
    named = set(re.findall(r"`([A-Z][a-z]\w+)=\w+`", ALL))

    assert named
    assert named <= Template.read().parameters.keys()
