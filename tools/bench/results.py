"""What `make bench` leaves in .local/bench.json."""

import msgspec

from tools.bench.clients import OURS

Figures = dict[str, float]  # by case, such as L50_C64; see cases.py

BEFORE = "1cc6eed"  # the last commit with a transport of our own
THROTTLED_SIZES = (100, 1_000)  # instances
MEMORY_CASES = {
    "stale": "all stale, two days",
    "muted": "all stale and muted, two days",
    "details": "all refused with long details, two days",
    "resolved": "all stale, then healthy",
    "dead": "the API dies half way, then is back",
}

DISCOVERED_HEALTHY, DISCOVERED_STALE = "discovered-healthy", "discovered-stale"
DISCOVERED_CASES = {
    DISCOVERED_HEALTHY: "all discovered, under 50 rules and 20 excludes, and healthy, two days",
    DISCOVERED_STALE: "all discovered, under 50 rules and 20 excludes, and stale, two days",
}
KEYSET, CROWDED, OFFSETS = "keyset", "keyset, a page within a second", "pages by number"
ONE_PASS = "pages by number, one pass: no client of ours"


PAGE_SIZES = (60, 2_000, 100_000)  # problems on a page
PRINTED = PAGE_SIZES[0]  # problems of the page that is printed
NEW_PROBLEMS = (1_000, 10_000, 20_000)  # in one run
ALERT_SIZES = (1_000, 10_000, 100_000)  # instances
PLAN, AUDIT, COMMIT, NOTIFY = STEPS = ("plan", "audit", "commit", "notify")
LIVES = {
    "stale": "all stale for two days, then healthy for two",
    "leave": "all stale; on day two nobody audits any but one",
    "muted": "all stale and muted, two days",
    "one-cause": "all unknown of one cause, two days",
    "many-causes": "all unknown, each of a cause of its own, two days",
    "owners": "all stale for two days, then healthy; 1,000 owners with digests of their own",
}


def life_key(life: str, instances: int) -> str:
    """A fleet's key in .local/bench.json."""
    return f"{life} {instances}"


def memory_key(case: str, instances: int) -> str:
    """A large bad day's key in .local/bench.json."""
    return f"{case} {instances}"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client's figures: shares of the limit (1 is the limit), CPU µs, requests per second."""

    limit_share: Figures
    cpu_us_per_instance: Figures
    requests_per_second: Figures


class ColdJob(msgspec.Struct, frozen=True, kw_only=True):
    """640 requests, 64 in flight, from nothing."""

    seconds: float
    cpu_us_per_instance: float


class WholeJob(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the function, from the event to its answer; `limit_share` is of N·L/C."""

    seconds: float
    peak_rss_mib: float
    limit_share: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True, rename={"import_": "import"}):
    """CPU milliseconds, without the start of Python itself.

    `import` is that of the handler, `base_import` that of requests, Logger and Metrics alone.
    `first_run` is import and one run over one instance.
    """

    import_: float
    first_run: float
    import_without_pyc: float
    first_run_without_pyc: float
    base_import: float


class Aimd(msgspec.Struct, frozen=True, kw_only=True):
    """With more workers than the server allows; the fixed ones by their number of workers."""

    requests_per_second: float
    fixed_requests_per_second: dict[str, float]
    share_of_best_fixed: float
    rejected_per_success: float


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """The whole process at Lambda's share of a CPU, seconds by the number of instances.

    `how` the share was held; `before` is the commit before the rebuilding, None if unknown here.
    """

    how: str
    now: dict[str, float]
    before: dict[str, float] | None = None


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """A day on which a share of the fleet hangs: the share of the others that was judged.

    `where` those that hang stand in the list, spread or first; `seconds` of simulated time.
    """

    share: float
    where: str
    day: int
    judged: float
    seconds: float


class Hanging(msgspec.Struct, frozen=True, kw_only=True):
    """One instance hangs until Lambda's time is over; the others that are known, and seconds."""

    known: int
    not_reached: int
    seconds: float


class MemoryDay(msgspec.Struct, frozen=True, kw_only=True):
    """A run over a large fleet in a process of its own; memory and files at their peak."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    temporary_mib: float
    messages: int
    problems: int


class BadDays(msgspec.Struct, frozen=True, kw_only=True):
    """`refused_judged` is the share of the others; `starved_runs` until each was judged once."""

    silent: list[Silent]
    refused_judged: float
    starved_runs: int | None
    hanging: Hanging


class Planning(msgspec.Struct, frozen=True, kw_only=True):
    """Planning a run over so many discovered instances, from the list's pages to the batches.

    `cpu_seconds` is that of the process without its imports, `inventory_cpu_seconds` what reading
    the inventory has of it. `requests` are those of the inventory.
    """

    requests: int
    cpu_seconds: float
    inventory_cpu_seconds: float


class Histories(msgspec.Struct, frozen=True, kw_only=True):
    """Random histories in which instances come and go between two pages.

    `complete` were read completely. `missed` and `doubled` count the instances that lived all the
    while and are not in such a reading, or are in it twice; `partial` are the others.
    """

    histories: int
    complete: int
    partial: int
    missed: int
    doubled: int


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The inventory; plannings by the number of instances, histories by the way of paging."""

    planning: dict[str, Planning]
    histories: dict[str, Histories]


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What an audience got of a run, and what it took to make and send that.

    `largest` is the largest message's size, in bytes. `above_mib` is by how much the peak of memory
    rose meanwhile.
    """

    messages: int
    batches: int
    largest: int
    cpu_seconds: float
    above_mib: float


class AlertDay(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a process of its own: CPU seconds by the step, and `sent` by the audience.

    The steps are plan, audit, commit and notify.
    """

    cpu_seconds: dict[str, float]
    peak_mib: float
    sent: dict[str, Sending]

    @property
    def unsent_cpu(self) -> float:
        """CPU seconds of all but the messages."""
        return sum(seconds for step, seconds in self.cpu_seconds.items() if step != NOTIFY)


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """A run that died while it sent, and its retry: messages in all, and taken of each."""

    messages: int
    before: int
    after: int

    @property
    def twice(self) -> int:
        """How many were sent twice; below zero if some were not sent at all."""
        return self.before + self.after - self.messages


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Notifying: days on which all is `new`, by the number of problems; days by life and size.

    `again` is a death in the middle. `digests_in_a_week` is of hourly runs with 50 open problems.
    """

    new: dict[str, AlertDay]
    again: Again
    days: dict[str, list[AlertDay]]
    digests_in_a_week: int


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds in a browser; the first three since the page is asked for, from a disk.

    `usable`: its list can be searched, and its rows have their places. `linked`: the last problem
    is found by its link, and focused. The others take one step until the new rows have their
    places.
    """

    first_paint: float
    usable: float
    linked: float
    filtered: float
    searched: float
    sorted: float


class DrawnPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of so many problems: its size, and the CPU seconds of drawing it."""

    bytes: int
    cpu_seconds: float
    opened: Opened


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """report.html; `pages` by the number of problems.

    `import_cpu_ms` is what the first page of a process imports, Jinja2 among it, and
    `templates_cpu_ms` what compiling the templates takes. The peaks are of the step `conclude` over
    100,000 problems, with the page and with a sketch of a line. `sheets` of A4 are of 60 problems.
    """

    pages: dict[str, DrawnPage]
    import_cpu_ms: float
    templates_cpu_ms: float
    peak_mib: float
    sketched_peak_mib: float
    sheets: int


class When(msgspec.Struct, frozen=True, kw_only=True):
    """When a section was measured (UTC, ISO 8601), and how."""

    at: str
    repeats: int
    quick: bool


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cores: int
    python: str
    system: str
    nginx: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The sections that were measured, each when it was; the figures of clients are by client."""

    limit_share: Figures = {}
    cpu_us_per_instance: Figures = {}
    requests_per_second: Figures = {}
    peers: dict[str, Client] = {}
    cold_job: dict[str, ColdJob] = {}
    whole_job: dict[str, WholeJob] = {}  # by the number of instances
    cold_start_cpu_ms: ColdStart | None = None
    aimd: Aimd | None = None
    throttled: Throttled | None = None
    bad_days: BadDays | None = None
    memory: dict[str, list[MemoryDay]] = {}  # by the case, a day after the other
    inventory: Inventory | None = None
    alerts: Alerts | None = None
    report_page: ReportPage | None = None
    machine: Machine | None = None
    measured: dict[str, When] = {}  # by the section

    @property
    def clients(self) -> dict[str, Client]:
        """All clients by name, the product first; none where the fan-out was not measured."""
        if not self.limit_share:
            return {}
        ours = Client(
            limit_share=self.limit_share,
            cpu_us_per_instance=self.cpu_us_per_instance,
            requests_per_second=self.requests_per_second,
        )
        return {OURS: ours, **self.peers}
