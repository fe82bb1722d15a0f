"""Buckets and folders as the command line reads them, and the roots below them."""

import os
from pathlib import Path

import pytest

from backup_audit.errors import ReportStoreFailed
from backup_audit_cli.archives import FolderArchive, archive_at, place_or_bucket
from backup_audit_cli.exit_status import WrongUsage
from backup_audit_cli.runs import Place, Root, newest_full, place_of, roots
from tests.doubles.archives import InMemoryArchive

RUN = "reports/dt=2026-01-31/run=20260131T050000Z"


def written(folder: Path, *keys: str) -> FolderArchive:
    for key in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key, "utf-8")
    return FolderArchive(folder)


def test_a_folder_has_keys_and_folders_below_it(tmp_path: Path) -> None:
    archive = written(tmp_path, "a/b/c", "a/d", "e")

    assert sorted(archive.keys()) == ["a/b/c", "a/d", "e"]
    assert sorted(archive.keys("a/b/")) == ["a/b/c"]
    assert list(archive.keys("none/")) == []
    assert list(archive.folders()) == ["a/"]
    assert list(archive.folders("a/")) == ["a/b/"]
    assert list(archive.folders("none/")) == []
    assert [archive.has(key) for key in ("e", "a", "none")] == [True, False, False]
    assert b"".join(archive.pieces("a/d")) == b"a/d"


def test_a_link_to_a_folder_leads_in_no_circle(tmp_path: Path) -> None:
    archive = written(tmp_path, f"x/{RUN}/manifest.json")
    (tmp_path / "x" / "again").symlink_to(tmp_path)

    assert [root.path for root in roots(archive)] == ["x/"]


def test_a_folder_that_is_not_there_or_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_path: object) -> object:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(ReportStoreFailed, match="there is no folder"):
        list(FolderArchive(tmp_path / "none").folders())
    with pytest.raises(ReportStoreFailed, match="could not be read: No such file"):
        list(FolderArchive(tmp_path).pieces("none"))
    monkeypatch.setattr(os, "scandir", refuses)
    with pytest.raises(ReportStoreFailed, match="could not be listed: Permission denied"):
        list(FolderArchive(tmp_path).folders())


@pytest.mark.parametrize(
    ("where", "environ", "place"),
    [
        ("copy", {"REPORT_BUCKET": "b"}, "copy"),
        (None, {"REPORT_BUCKET": "b"}, "s3://b/backup-audit"),
        (None, {"REPORT_BUCKET": "b", "REPORT_PREFIX": "eu"}, "s3://b/eu"),
    ],
)
def test_a_place_that_is_named_goes_before_that_of_the_environment(
    where: str | None, environ: dict[str, str], place: str
) -> None:
    assert place_or_bucket(where, environ) == place


def test_without_any_place_it_is_said_how_to_name_one() -> None:
    with pytest.raises(WrongUsage, match="WHERE is missing"):
        place_or_bucket(None, {"REPORT_PREFIX": "eu"})


@pytest.mark.parametrize(
    ("where", "said"),
    [("s3://b", "s3://b"), ("s3://b/p/", "s3://b/p"), ("file:copy", "copy"), ("copy/", "copy")],
)
def test_a_place_is_said_as_people_write_it(where: str, said: str) -> None:
    assert archive_at(where).where == said


@pytest.mark.parametrize("above", ["", "a/", "a/b/c/"])
def test_a_root_is_found_however_deep_it_is(above: str) -> None:
    archive = InMemoryArchive({f"{above}{RUN}/manifest.json": b"", f"{above}latest.json": b""})

    [root] = roots(archive)

    assert (root.path, root.where) == (above, f"bucket/{above}".rstrip("/"))
    assert root.days() == ["2026-01-31"]


@pytest.mark.parametrize(
    "key",
    ["reports/x", "reports/dt=soon/run=x/manifest.json", "findings/dt=2026-01-31/run=x/part-0"],
)
def test_a_folder_of_something_else_is_no_root(key: str) -> None:
    assert list(roots(InMemoryArchive({key: b""}))) == []


def test_nothing_is_looked_for_below_the_days_of_reports() -> None:
    inside = InMemoryArchive({"dt=2026-01-31/reports/dt=2026-01-31/run=x/manifest.json": b""})

    assert list(roots(inside)) == []


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (f"backup-audit/{RUN}/report.json", Place("2026-01-31", "20260131T050000Z")),
        (f"{RUN}/report.json", Place("2026-01-31", "20260131T050000Z")),
        ("reports/dt=2026-01-31/run=../../x/report.json", None),
        ("elsewhere/report.json", None),
    ],
)
def test_a_key_leads_to_no_place_outside_of_the_reports(key: str, place: Place | None) -> None:
    assert place_of(key) == place


def test_without_a_committed_full_run_there_is_none_to_show() -> None:
    assert newest_full(Root(InMemoryArchive({f"{RUN}/report.json": b""}), "")) == (None, None)
