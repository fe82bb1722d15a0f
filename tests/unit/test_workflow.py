"""What CI runs: actions as they were read, and no more rights than needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = sorted(Path(".github/workflows").iterdir())
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def uses() -> list[str]:
    return [
        line.split("uses:", 1)[1].strip()
        for path in WORKFLOWS
        for line in path.read_text("utf-8").splitlines()
        if "uses:" in line
    ]


def jobs() -> list[Any]:
    documents = [yaml.safe_load(path.read_text("utf-8")) for path in WORKFLOWS]
    return [job for document in documents for job in document["jobs"].values()]


@pytest.mark.parametrize("action", sorted(set(uses())))
def test_an_action_is_pinned_by_its_commit_with_its_version_beside_it(action: str) -> None:
    assert _PINNED.fullmatch(action)


def test_no_job_may_do_more_than_read() -> None:
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {}
    assert [job["permissions"] for job in jobs()] == [{"contents": "read"}] * len(jobs())


def test_no_checkout_leaves_credentials_behind() -> None:
    checkouts = [
        step
        for job in jobs()
        for step in job["steps"]
        if "actions/checkout" in step.get("uses", "")
    ]

    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)
