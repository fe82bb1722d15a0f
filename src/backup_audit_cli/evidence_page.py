"""The evidence of a period as a page: one file without a script, to print and to sign.

The policy names the style by its hash: nothing else is taken, and nothing is fetched.
"""

import base64
import hashlib
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from backup_audit.text import at, one_line, placed
from backup_audit_cli.evidence_text import (
    NOT_PROVED,
    PROOFS,
    chain_text,
    days_said,
    duration,
    selected,
    title_of,
)
from backup_audit_cli.period import PeriodEvidence

_TEMPLATES = Path(__file__).parent / "templates"
_LONGEST = 1_000  # characters of a text of others


def page_of(evidence: PeriodEvidence) -> bytes:
    """The page in UTF-8; it follows from the evidence alone."""
    style = _style()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "NOT_PROVED": NOT_PROVED,
        "PROOFS": PROOFS,
        "at": at,
        "chain_text": chain_text,
        "days_said": days_said,
        "duration": duration,
        "line": _line,
        "moment": _moment,
        "number": "{:,}".format,
        "placed": placed,
        "selected": selected,
    }
    page = environment.get_template("evidence.html").render(
        evidence=evidence,
        title=title_of(evidence),
        policy=_policy(style),
        style=Markup(style),  # noqa: S704  # nosec B704  # our own
    )
    return page.encode()


def _style() -> str:
    """That of a report's page, and what is ours."""
    of_reports = files("backup_audit.page").joinpath("page.css").read_text("utf-8")
    return of_reports + (_TEMPLATES / "evidence.css").read_text("utf-8")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
    return f"{policy}base-uri 'none'; form-action 'none'"


def _line(text: str) -> str:
    return one_line(text, _LONGEST)


def _moment(when: datetime) -> str:
    """A time (UTC) below a heading that says so."""
    return f"{when:%Y-%m-%d %H:%M}"
