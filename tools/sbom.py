"""Holds the list of what ships to what is pinned: `python -m tools.sbom LIST`, in `make sbom`."""

import json
import re
import sys
from pathlib import Path

from backup_audit import __version__

_PINNED = Path(__file__).parents[1] / "src" / "requirements.txt"


def main(path: str) -> None:
    """Raise AssertionError unless all that is pinned is there, and stands where it belongs."""
    listed = json.loads(Path(path).read_text("utf-8"))
    root = listed["metadata"]["component"]
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in listed["dependencies"]}
    components = {component["bom-ref"]: component for component in listed["components"]}

    assert (root["name"], root["version"]) == ("backup-audit", __version__)
    assert {(_name(one["name"]), one["version"]) for one in components.values()} == _pinned()
    assert all(one["purl"] and one["licenses"] for one in components.values())
    reached, unseen = set(), [root["bom-ref"]]
    while unseen:
        reached.add(ref := unseen.pop())
        unseen += [need for need in needs[ref] if need not in reached]
    assert reached == {root["bom-ref"], *components}, "nothing needs some of them"
    print(f"{path}: backup-audit {__version__} and {len(components)} packages")


def _pinned() -> set[tuple[str, str]]:
    lines = re.findall(r"^([\w.-]+)==([\w.]+)", _PINNED.read_text("utf-8"), re.MULTILINE)
    return {(_name(name), version) for name, version in lines}


def _name(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(sys.argv[1])
