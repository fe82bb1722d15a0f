"""Writes today's documents: `make documents`. Those of a released schema stay as they are."""

import shutil
from pathlib import Path

from tools.golden.documents import bucket_and_messages

TODAY = Path("tests/golden/today")


def main() -> None:
    """Replace what lies there."""
    shutil.rmtree(TODAY, ignore_errors=True)
    for name, body in bucket_and_messages().items():
        path = TODAY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


if __name__ == "__main__":
    main()
