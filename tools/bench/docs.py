"""Draws and writes docs/benchmark.md from the figures: `make bench-docs`."""

import sys
from pathlib import Path

import msgspec

from tools.bench.page import page
from tools.bench.pictures import draw
from tools.bench.results import Results

_FIGURES = Path(".local/bench.json")
_PAGE = Path("docs/benchmark.md")
_PICTURES = Path("docs/bench")


def main() -> int:
    """Write the page and its pictures; return the exit status."""
    try:
        results = msgspec.json.decode(_FIGURES.read_bytes(), type=Results)
    except FileNotFoundError:
        print(f"{_FIGURES} is not there: run make bench first", file=sys.stderr)
        return 1
    except msgspec.ValidationError as error:
        print(f"{_FIGURES} is from another version, run make bench: {error}", file=sys.stderr)
        return 1
    draw(results, _PICTURES)
    _PAGE.write_text(page(results), "utf-8")
    print(f"Written: {_PAGE}, {_PICTURES}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
