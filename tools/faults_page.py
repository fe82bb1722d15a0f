"""Tries every fault and writes docs/faults.md, what became of each: `make faults`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.faults.catalogue import CATALOGUE, FAULTS, name_of
from tests.faults.fault import Channel, Fault, Group
from tests.faults.trial import Outcome, Trial, try_out

PAGE = Path("docs/faults.md")
OUT_OF_DATE = "run: make faults"

_SHOWN_MAX = 2  # reasons in a row; variations of a fault can have many that differ in a figure

_HEAD = """\
# What becomes of faults

`make faults` writes this page: for each fault a server on loopback does it to the real client, from
the engine over sockets to the finding. `tests/contract/test_faults.py` tries them again at every
`make check`, and holds the page against what comes of them. For each fault it holds, too, that

- the verdict is the one stated in `tests/faults/`; `healthy` and `never_backed_up` only on proof;
- the finding about another instance, asked for before and after over the same connection where it
  is kept, is not touched by it;
- the run goes on, unless TLS or a proxy lets nothing through: then it ends, says that nothing
  answered, and sends whoever reads it to the proxy if that is why;
- nothing is asked but what we meant to ask, and no other host gets a connection;
- a proxy gets CONNECT and TLS, and nothing of ours in clear;
- the token is in no finding, no error and no log line;
- the answer ends within the time limit, and it is asked for a bounded number of times.

{faults} faults in {variations} variations, over plain HTTP and over TLS. *Plain* and *TLS* say how
often the client asked until it had an answer, or gave up. Where variations differ in what the
finding says, the first {shown} are shown.
"""

_TABLE = """\
| fault | plain | TLS | verdict | what the finding says |
|---|---|---|---|---|
"""


def page(rows: Mapping[str, str]) -> str:
    """The page, with a row for each fault by its name in the catalogue."""
    variations = sum(len(fault.does) for fault in FAULTS.values())
    head = _HEAD.format(faults=len(FAULTS), variations=f"{variations:,}", shown=_SHOWN_MAX)
    return "\n".join([head, *(_section(group, rows) for group in CATALOGUE)])


def _section(group: Group, rows: Mapping[str, str]) -> str:
    about = f"{group.about}\n\n" if group.about else ""
    table = "".join(f"{rows[name_of(group, fault)]}\n" for fault in group.faults)
    return f"## {group.title}\n\n{about}{_TABLE}{table}"


def row(fault: Fault, trial: Trial) -> str:
    """A fault and what became of it; the first channel's words stand for both."""
    outcomes = trial.outcomes
    first = outcomes[fault.channels[0]]
    verdicts = _distinct(f"`{finding.verdict}`" for finding in first.findings)
    cells = (
        f"{_escaped(fault.name)}{_ways(fault)}",
        _asked(outcomes.get(Channel.PLAIN)),
        _asked(outcomes.get(Channel.TLS)),
        ", ".join(verdicts),
        "<br>".join(_escaped(reason) for reason in _reasons(first)),
    )
    return f"| {' | '.join(cells)} |"


def committed_rows() -> list[str]:
    """The rows of the page as it is committed."""
    lines = PAGE.read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("| ") and line not in _TABLE]


def _ways(fault: Fault) -> str:
    return f" ({len(fault.does)} ways)" if len(fault.does) > 1 else ""


def _asked(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    times = {finding.evidence.attempts for finding in outcome.findings}
    return " or ".join("once" if many == 1 else f"{many} times" for many in sorted(times))


def _reasons(outcome: Outcome) -> list[str]:
    reasons = _distinct(finding.reason for finding in outcome.findings)
    if len({finding.evidence.http_status for finding in outcome.findings}) > 1:
        reasons = _distinct(re.sub(r"\bHTTP \d{3}\b", "HTTP …", reason) for reason in reasons)
    return reasons[:_SHOWN_MAX]


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page({name: row(it, try_out(it)) for name, it in FAULTS.items()}), "utf-8")
