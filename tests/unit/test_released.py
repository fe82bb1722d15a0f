"""The contracts of each release hold: what it wrote is read, and what is written today keeps them.

docs/decisions/0008-schema-versions.md has the rules.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from jsonschema.validators import validator_for

from backup_audit import __version__
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.run import parse_event
from backup_audit.report.previous import previous_of
from backup_audit.report.report import Latest
from backup_audit.report.store import RunKeys
from backup_audit_cli.verify import verify
from tests.doubles.fakes import InMemoryStore
from tools.compatible import broken
from tools.golden.__main__ import GOLDEN, TODAY, freeze
from tools.golden.kinds import by_kind, documents_in
from tools.schemas import DOCUMENTS, schema_of

READ_BY_US = {"configuration", "event"}
RELEASES = sorted(folder for folder in GOLDEN.iterdir() if folder != TODAY)
of_each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda folder: folder.name)


def test_this_version_has_its_documents_or_is_no_release_yet() -> None:
    """A number with a suffix, such as 1.1.0.dev0, is none."""
    is_release = __version__.replace(".", "").isdigit()

    assert is_release == ((GOLDEN / __version__).is_dir()), "run: make release"


@of_each_release
def test_todays_schemas_break_no_contract_of_a_release(release: Path) -> None:
    for path in sorted((release / "schemas").glob("*.schema.json")):
        kind = path.name.removesuffix(".schema.json")
        released, today = json.loads(path.read_text("utf-8")), json.loads(schema_of(kind))
        assert broken(released, today, is_read_by_us=kind in READ_BY_US) == [], kind


@of_each_release
def test_what_is_written_today_keeps_the_schemas_of_a_release(release: Path) -> None:
    validators = {}
    for kind in DOCUMENTS:
        path = release / "schemas" / f"{kind}.schema.json"
        if path.exists():
            schema = json.loads(path.read_text("utf-8"))
            validators[kind] = validator_for(schema)(schema)

    for kind, document in by_kind(documents_in(TODAY)):
        if kind in validators:
            validators[kind].validate(document)


@of_each_release
def test_what_a_release_wrote_is_read_today(release: Path) -> None:
    found = list(by_kind(documents_in(release)))

    assert {kind for kind, _ in found} >= {"report", "finding", "manifest", "latest"}
    for kind, document in found:
        msgspec.json.decode(json.dumps(document), type=DOCUMENTS[kind])


@of_each_release
def test_a_run_goes_on_from_the_bucket_of_a_release(release: Path) -> None:
    store = InMemoryStore()
    store.objects.update(documents_in(release / "bucket"))
    latest = msgspec.json.decode(store.objects["backup-audit/latest.json"], type=Latest)
    due_at = latest.run.due_at + timedelta(days=1)
    keys = RunKeys("backup-audit", due_at.date().isoformat(), "next")

    previous = previous_of(store, keys, due_at)

    assert previous.warning is None
    assert previous.report is not None
    assert previous.report.run_id == latest.run.run_id
    assert previous.state.open
    assert previous.history[-1].run_id == latest.run.run_id


@of_each_release
def test_the_bucket_of_a_release_is_as_it_was_written(release: Path) -> None:
    assert verify(str(release / "bucket")) == 0


@of_each_release
def test_what_people_wrote_for_a_release_is_taken_today(release: Path) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)

    parse_configuration((release / "configuration.json").read_bytes(), "configuration.json")
    events = sorted((release / "events").glob("*.json"))
    assert events
    for path in events:
        event = json.loads(path.read_text("utf-8"))
        if "scheduled_time" in event:
            event["scheduled_time"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        parse_event(event, now)


def test_what_a_release_wrote_is_never_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "1.0.0"

    assert freeze(folder) == 0
    before = documents_in(folder)
    assert freeze(folder) == 1

    assert documents_in(folder) == before
    assert {name.partition("/")[0] for name in before} >= {"bucket", "events", "schemas"}
    assert "is there: what a release wrote is never written again" in capsys.readouterr().err


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    entries = re.findall(
        r"^## \[(.+?)\](.*)$", Path("CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    (version, dated), *_ = [entry for entry in entries if entry[0] != "Unreleased"]
    assert version == __version__
    assert re.fullmatch(r" - \d{4}-\d{2}-\d{2}", dated)
