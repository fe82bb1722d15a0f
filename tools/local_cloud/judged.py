"""How many instances of a fleet were ever judged, over all runs that left their findings."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from backup_audit.judge.verdict import Verdict


class EverJudged(msgspec.Struct, frozen=True):
    """`judged` of so many `instances` had another verdict than unknown, in one of the `runs`."""

    runs: int
    instances: int
    judged: int


class _Finding(msgspec.Struct):
    guid: str
    verdict: Verdict


def ever_judged(bucket: Path, guids: Collection[str]) -> EverJudged:
    """Read the findings in a folder that holds a bucket's objects."""
    runs, judged = set(), set()
    for part in bucket.glob("*/findings/dt=*/run=*/part-*.jsonl"):
        runs.add(part.parent)
        findings = msgspec.json.Decoder(_Finding).decode_lines(part.read_bytes())
        judged |= {one.guid for one in findings if one.verdict is not Verdict.UNKNOWN}
    return EverJudged(len(runs), len(guids), len(judged & set(guids)))
