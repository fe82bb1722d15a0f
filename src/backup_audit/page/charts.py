"""Geometry of the charts, in the units of their view boxes; templates write it as SVG.

Positions are attributes: the page's policy allows no style of an element.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from backup_audit.judge.verdict import Verdict
from backup_audit.page.answer import verdicts_in
from backup_audit.page.period import Slot
from backup_audit.page.words import day, number
from backup_audit.report.figures import BINS, Ages, BreakdownRow

FILLS: Mapping[Verdict, str] = {
    Verdict.NEVER_BACKED_UP: "#9b1c1c",
    Verdict.STALE: "#b8500a",
    Verdict.UNSUPPORTED: "#7544b3",
    Verdict.NOT_FOUND: "#465b7a",
    Verdict.UNKNOWN: "url(#hatch)",
    Verdict.IN_GRACE: "#2a6db5",
    Verdict.HEALTHY: "#2c7a4b",
}
"""Colours where no style is; hatched is what nobody knows. 4.5:1 on white and more."""

PROBLEMS = tuple(verdict for verdict in Verdict if verdict.is_problem)


class Part(msgspec.Struct, frozen=True):
    """A part of a bar, from `x`, `width` wide."""

    verdict: Verdict
    fill: str
    x: float
    width: float


class Shape(msgspec.Struct, frozen=True):
    """All rectangles of one verdict, as the data of a path."""

    verdict: Verdict
    fill: str
    path: str


class Tick(msgspec.Struct, frozen=True):
    """A label at a position of an axis."""

    at: float
    text: str


BAR_WIDTH = 1000.0
_LEAST = 4.0  # of a part that is not empty
_GAP = 2.0


def bar(counts: Mapping[Verdict, int], width: float = BAR_WIDTH, gap: float = _GAP) -> list[Part]:
    """A bar as wide as all; a part that is not empty can be seen, be it one of 100,000."""
    filled = {verdict: count for verdict, count in counts.items() if count}
    total = sum(filled.values())
    room = width - gap * (len(filled) - 1)
    widths = {one: max(room * count / total, _LEAST) for one, count in filled.items()}
    excess = sum(widths.values()) - room
    if widths:
        widest = max(widths, key=lambda one: widths[one])
        widths[widest] -= excess
    parts, x = list[Part](), 0.0
    for verdict, wide in widths.items():
        parts.append(Part(verdict, FILLS[verdict], round(x, 1), round(wide, 1)))
        x += wide + gap
    return parts


ROW_BAR_WIDTH = 200.0


def row_bars(rows: Sequence[BreakdownRow]) -> list[list[Part]]:
    """A bar for each row with an open problem, as long as it has of them; the longest fills it."""
    most = max((row.open for row in rows), default=0)
    counted = [problems_in(row.open_counts) for row in rows]
    return [
        bar(counts, max(ROW_BAR_WIDTH * row.open / most, _LEAST * len(counts)), gap=0)
        for row, counts in zip(rows, counted, strict=True)
    ]


def problems_in(counts: dict[str, int]) -> dict[Verdict, int]:
    """The counts of the verdicts that are a problem, those that are not 0."""
    return {one: count for one, count in verdicts_in(counts).items() if one.is_problem and count}


_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 596.0, 14.0, 156.0
_WIDEST = 24.0  # of a bar, where there are few runs
_KNOWN_FROM = 50  # percent of coverage: runs that know less do not decide how high bars may be


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The problems of runs: stacked bars, one for each run, and marks where there is none.

    `cut` counts the bars that are higher than the chart, `incomplete` is the shape laid over those
    of incomplete runs. `missing` and `cuts` are places of marks.
    """

    shapes: list[Shape]
    incomplete: str
    missing: list[float]
    cuts: list[float]
    scale: list[Tick]
    days: list[Tick]


def trend(slots: Sequence[Slot]) -> Trend:
    """Draw runs in their order. The scale is that of the complete runs that knew something."""
    points = [slot.point for slot in slots if slot.point]
    totals = {point.run_id: sum(problems_in(point.counts).values()) for point in points}
    certain = [totals[p.run_id] for p in points if p.complete and p.percent >= _KNOWN_FROM]
    top = _round_up(max(certain or totals.values(), default=0))
    step = min((_RIGHT - _LEFT) / max(len(slots), 1), _WIDEST)
    wide = round(step * 0.82, 1)
    paths: dict[Verdict, list[str]] = {verdict: [] for verdict in PROBLEMS}
    incomplete, missing, cuts = list[str](), list[float](), list[float]()
    for index, slot in enumerate(slots):
        x = round(_LEFT + index * step, 1)
        if slot.point is None:
            missing.append(round(x + wide / 2, 1))
            continue
        height = _stack(slot.point.counts, top, x, wide, paths)
        if totals[slot.point.run_id] > top:
            cuts.append(round(x + wide / 2, 1))
        if not slot.point.complete:
            incomplete.append(_rectangle(x, _BOTTOM - max(height, 3.0), wide, max(height, 3.0)))
    return Trend(
        shapes=[
            Shape(verdict, FILLS[verdict], "".join(path)) for verdict, path in paths.items() if path
        ],
        incomplete="".join(incomplete),
        missing=missing,
        cuts=cuts,
        scale=[_tick(top, share) for share in (0, 0.5, 1) if not top * share % 1],
        days=list(_days(slots, step, wide)),
    )


def _stack(
    counts: dict[str, int], top: int, x: float, wide: float, paths: dict[Verdict, list[str]]
) -> float:
    """Add the rectangles of a run; return how high they are, cut at the top."""
    found, height, most = problems_in(counts), 0.0, _BOTTOM - _TOP
    for verdict, count in found.items():
        high = min(most * count / top, most - height)
        if high > 0:
            paths[verdict].append(_rectangle(x, _BOTTOM - height - high, wide, high))
        height += high
    return height


def _rectangle(x: float, y: float, wide: float, high: float) -> str:
    return f"M{x:g} {y:.4g}h{wide:g}v{high:.3g}h-{wide:g}z"


def _tick(top: int, share: float) -> Tick:
    return Tick(round(_BOTTOM - share * (_BOTTOM - _TOP), 1), number(int(top * share)))


def _days(slots: Sequence[Slot], step: float, wide: float) -> Iterable[Tick]:
    """Labels of the first run, the last and two between, as far as there is room."""
    dated = [(index, slot.point.due_at) for index, slot in enumerate(slots) if slot.point]
    wanted = sorted({0, len(dated) // 3, 2 * len(dated) // 3, len(dated) - 1})
    last = -_RIGHT
    for one in wanted if dated else ():
        index, when = dated[one]
        at = min(round(_LEFT + index * step + wide / 2, 1), _RIGHT - _LABEL / 4)
        if at - last >= _LABEL:
            yield Tick(at, day(when))
            last = at


_LABEL = 70.0  # between the middles of two labels


def _round_up(most: int) -> int:
    """The next round number, such as 2, 4, 5, 8, 12, 15, 20, 25: that large, and 2 at least."""
    power = 1
    while True:
        for tenths in (10, 12, 15, 20, 25, 30, 40, 50, 60, 80):
            top, rest = divmod(tenths * power, 10)
            if not rest and top >= max(most, 2):
                return top
        power *= 10


class AgeBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bin of ages: its bar, its label, and what it counts in words.

    `grace` is how high the lowest part of the bar is, which stands for those in grace; 0 if there
    are none, or nobody else.
    """

    x: float
    y: float
    height: float
    grace: float
    middle: float
    fill: str
    verdict: Verdict
    label: str
    said: str
    count: int


AGE_WIDTH = 52.0
_AGE_STEP = 61.0
_AGE_LEFT = 12.0
MAX_AGE_AT = _AGE_LEFT + 4 * _AGE_STEP - (_AGE_STEP - AGE_WIDTH) / 2
"""Where the line of max_age stands: after the fourth bin."""

_BINS: Mapping[str, tuple[str, str, Verdict]] = {
    "up_to_25_percent": ("≤ 25 %", "up to 25 % of max_age", Verdict.HEALTHY),
    "up_to_50_percent": ("≤ 50 %", "up to 50 %", Verdict.HEALTHY),
    "up_to_75_percent": ("≤ 75 %", "up to 75 %", Verdict.HEALTHY),
    "up_to_100_percent": ("≤ 100 %", "up to max_age", Verdict.HEALTHY),
    "up_to_2_times": ("≤ 2 ×", "up to 2 times max_age", Verdict.STALE),  # noqa: RUF001
    "up_to_4_times": ("≤ 4 ×", "up to 4 times", Verdict.STALE),  # noqa: RUF001
    "up_to_8_times": ("≤ 8 ×", "up to 8 times", Verdict.STALE),  # noqa: RUF001
    "over_8_times": ("> 8 ×", "over 8 times", Verdict.STALE),  # noqa: RUF001
    "none": ("none", "no backup at all", Verdict.NEVER_BACKED_UP),
}


def ages(found: Ages) -> list[AgeBar]:
    """The nine bins, the highest bar as high as the chart."""
    counts: dict[str, int] = {name: getattr(found, name) for name in BINS}
    in_grace = found.none_in_grace
    most, room = max(counts.values()), _BOTTOM - _TOP - 22
    bars = []
    for place, (name, count) in enumerate(counts.items()):
        label, said, verdict = _BINS[name]
        height = round(max(room * count / most, 1.5), 1) if count else 0.0
        grace = 0.0
        if name == "none" and in_grace and count:
            is_all = in_grace == count
            verdict = Verdict.IN_GRACE if is_all else verdict
            grace = 0.0 if is_all else round(height * in_grace / count, 1)
            said += f", {'all' if is_all else number(in_grace)} of them in grace"
        x = _AGE_LEFT + place * _AGE_STEP
        bars.append(
            AgeBar(
                x=x,
                y=round(_BOTTOM - height, 1),
                height=height,
                grace=grace,
                middle=x + AGE_WIDTH / 2,
                fill=FILLS[verdict],
                verdict=verdict,
                label=label,
                said=said,
                count=count,
            )
        )
    return bars
