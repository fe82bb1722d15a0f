"""The templates, style and script of the page, and what its templates can call.

The policy names style and script by the hash of what is written: nothing else runs, and nothing is
fetched.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.selectors import Selector
from backup_audit.judge.advice import MEANINGS as OF_PROBLEMS
from backup_audit.judge.advice import next_step
from backup_audit.judge.finding import Change
from backup_audit.judge.verdict import Verdict
from backup_audit.page import charts, words
from backup_audit.page.rows import BLANK, REAL_ROWS
from backup_audit.page.sections import said_counts
from backup_audit.report.alerts import Audience
from backup_audit.text import at, instances

_HERE = Path(__file__).parent
LISTED_MAX = 50  # instances, excludes, rules and warnings that a section names

MEANINGS: Mapping[Verdict, str] = {
    **OF_PROBLEMS,
    Verdict.IN_GRACE: "no backup yet, and young enough to have none",
    Verdict.HEALTHY: "the newest listed backup is young enough, and enough are listed",
}
_OF_UNKNOWN = {Verdict.UNKNOWN: ("The next step of each says who acts.",)}
READS: Mapping[Read, str] = {
    Read.COMPLETE: "read completely",
    Read.PARTIAL: "read in part",
    Read.FAILED: "could not be read",
    Read.LISTED: "only the listed instances were looked up",
}
SEES: Mapping[Sees, str] = {
    Sees.ALL: "everything",
    Sees.ROLES: "what its roles let it see",
    Sees.UNKNOWN: "nobody knows how much",
}
AUDIENCES: Mapping[str, str] = {
    Audience.PEOPLE: "people",
    Audience.EVENTS: "programs",
    Audience.CHAT: "chat",
}
# What a listed finding can have: what is resolved is healthy.
_LISTED_CHANGES = (Change.NEW, Change.REOPENED, Change.ONGOING)


def rendered(name: str, **values: object) -> bytes:
    """A template with these values; what it asks for and does not get is an error."""
    return _environment().get_template(name).render(**values).encode()


def policy() -> str:
    """The content security policy: this style and this script, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(_text('page.js'))}'",
            f"style-src '{_hash(_text('page.css'))}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= _globals()
    return environment


def _globals() -> dict[str, Any]:
    """Words, figures and functions; style and script are ours, and stand as they are."""
    return {
        **{name: value for name, value in vars(words).items() if not name.startswith("_")},
        "at": at,
        "instances": instances,
        "AGE_WIDTH": charts.AGE_WIDTH,
        "MAX_AGE_AT": charts.MAX_AGE_AT,
        "FILLS": charts.FILLS,
        "PROBLEMS": charts.PROBLEMS,
        "REAL_ROWS": REAL_ROWS,
        "LISTED_MAX": LISTED_MAX,
        "MEANINGS": MEANINGS,
        "STEPS": {verdict: next_step(verdict) for verdict in Verdict} | _OF_UNKNOWN,
        "READS": READS,
        "SEES": SEES,
        "AUDIENCES": AUDIENCES,
        "LISTED_CHANGES": _LISTED_CHANGES,
        "BLANK": BLANK,
        "said_counts": said_counts,
        "known": _known,
        "selector": _selector,
        "first_of": _first_of,
        "policy": policy(),
        "style": Markup(_text("page.css")),  # noqa: S704  # nosec B704
        "script": Markup(_text("page.js")),  # noqa: S704  # nosec B704
    }


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _known(count: int | None) -> str:
    """A number, or that it is not known: null is not 0."""
    return "not known" if count is None else words.number(count)


def _selector(match: Selector | dict[str, Any] | None) -> str:
    """A selector as configured."""
    if match is None:
        return ""
    given = {key: value for key, value in msgspec.to_builtins(match).items() if value is not None}
    return words.foreign(msgspec.json.encode(given).decode())


def _first_of(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return islice(counts.items(), LISTED_MAX)
