"""Writes today's documents: `make documents`; or keeps them as a release: `make release`."""

import argparse
import shutil
import sys
from pathlib import Path

from backup_audit import __version__
from tools.golden.documents import bucket_and_messages

GOLDEN = Path("tests/golden")
TODAY = GOLDEN / "today"
_FROZEN = {"schemas": Path("docs/schemas"), "events": Path("events")}  # beside the documents


def main(arguments: list[str] | None = None) -> int:
    """Replace what stands there; of a release, refuse to."""
    parser = argparse.ArgumentParser(prog="python -m tools.golden", description=__doc__)
    parser.add_argument("--release", action="store_true", help="keep them as those of this version")
    if parser.parse_args(arguments).release:
        return freeze(GOLDEN / __version__)
    shutil.rmtree(TODAY, ignore_errors=True)
    for name, body in bucket_and_messages().items():
        path = TODAY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return 0


def freeze(folder: Path) -> int:
    """Copy documents, schemas and sample events; return 1 if the folder is there."""
    if folder.exists():
        print(f"{folder} is there: what a release wrote is never written again", file=sys.stderr)
        return 1
    shutil.copytree(TODAY, folder)
    for name, source in _FROZEN.items():
        shutil.copytree(source, folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
