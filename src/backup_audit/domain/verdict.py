"""The closed set of verdicts, and how bad each is."""

from enum import StrEnum


class Severity(StrEnum):
    """How urgent a message is; consumers filter on it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Verdict(StrEnum):
    """What the evidence proves about an instance; worst first, which is the order of reports."""

    NEVER_BACKED_UP = "never_backed_up"
    STALE = "stale"
    UNSUPPORTED = "unsupported"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"
    IN_GRACE = "in_grace"
    HEALTHY = "healthy"

    @property
    def is_problem(self) -> bool:
        """Whether people are told."""
        return self not in (Verdict.IN_GRACE, Verdict.HEALTHY)

    @property
    def severity(self) -> Severity:
        """Missing backups are critical; what needs a person's look is a warning."""
        if self in (Verdict.NEVER_BACKED_UP, Verdict.STALE):
            return Severity.CRITICAL
        return Severity.WARNING if self.is_problem else Severity.INFO

    @property
    def rank(self) -> int:
        """Place in a report, 0 for the worst."""
        return _ORDER[self]


_ORDER = {verdict: rank for rank, verdict in enumerate(Verdict)}
