"""Random histories of alerts, many of them, through the use case: python -m tools.histories.

Exits with 1 if anything was lost, doubled outside of the documented windows, or said to be clear
that was not; each case names the seed that makes it again.
"""

import argparse
import sys
import time

from tests.doubles.believers import Tally
from tests.doubles.histories import histories

# Instances of a world, in turn. Few in a quiet world show what any other news would hide; many
# make outages and floods.
_SIZES = (200, 20, 3, 3, 3, 3)
_RUNS = 30  # of each world, the last two of them quiet
_NAMED_MAX = 20  # cases of a kind that are printed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=10_000, help="histories, at least (10000)")
    parser.add_argument("--seed", type=int, default=0, help="the first world's (0)")
    asked = parser.parse_args()
    began, total, seed = time.monotonic(), Tally(), asked.seed
    while total.histories < asked.count:
        instances, is_mapped = _SIZES[seed % len(_SIZES)], seed // len(_SIZES) % 2 == 1
        total.add(histories([seed], instances, _RUNS, modes=(is_mapped,)))
        seed += 1
        print(f"\r{total.histories:,} histories", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    _print(total, time.monotonic() - began)
    return 1 if total.faults else 0


def _print(total: Tally, seconds: float) -> None:
    rows = {
        "histories (an instance of a world)": total.histories,
        "runs of each": _RUNS,
        "committed full runs": total.runs,
        "problems opened": total.opened,
        "problems ended": total.ended,
        "messages": total.messages,
        "lost": len(total.lost),
        "doubled outside of the documented windows": len(total.doubled),
        "doubled inside of them": total.doubled_in_windows,
        "false all-clears": len(total.false_all_clears),
        "otherwise not as the model has it": len(total.wrong),
        "seconds": round(seconds),
    }
    for name, figure in rows.items():
        print(f"{name:<44}{figure:>10,}")
    for kind in ("lost", "doubled", "false_all_clears", "wrong"):
        for case in getattr(total, kind)[:_NAMED_MAX]:
            print(f"{kind}: {case}")


if __name__ == "__main__":
    sys.exit(main())
