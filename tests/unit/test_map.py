"""The package's map shows where everything is, and decision 1 the way through what there is."""

import re
from pathlib import Path

import backup_audit

PACKAGE = Path(backup_audit.__file__).parent


def mapped(text: str) -> list[str]:
    """The modules that a map names: by themselves, or in a folder before what they do."""
    found: list[str] = []
    for name, is_folder, said in re.findall(
        r"^    (\w+)(/?) {2,}(.*(?:\n {16,}.*)*)", text, re.MULTILINE
    ):
        modules = [f"{name}/{one}" for one in re.findall(r"(\w+)\s+\(", said)]
        found += modules if is_folder else [name]
    below = text[text.index("All of them use") :]
    return found + re.findall(r"(\w+)\s+\(", below)


def test_every_module_stands_in_the_map_once_and_nothing_else() -> None:
    text = backup_audit.__doc__ or ""
    modules = [
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    ]

    assert sorted(mapped(text)) == sorted(modules)


def test_every_folder_stands_in_the_map() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert set(re.findall(r"^    (\w+)/", backup_audit.__doc__ or "", re.MULTILINE)) == folders


def test_the_way_through_the_code_names_what_there_is() -> None:
    text = Path("docs/decisions/0001-architecture.md").read_text("utf-8")
    sources = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}

    types = set(re.findall(r"`(_?[A-Z]\w+)(?:\.\w+)?`", text))
    modules = {path.stem for path in sources} | {PACKAGE.name}
    functions = set(re.findall(r"`(_?[a-z]+_[a-z_]+)`", text)) - modules
    defined = "\n".join(sources.values())

    def is_defined(one: str) -> bool:
        return bool(re.search(rf"^(class {one}\b|{one} = )", defined, re.MULTILINE))

    assert len(types) > 15
    assert [one for one in types if not is_defined(one)] == []
    assert [one for one in functions if f"def {one}(" not in defined] == []
    places = re.findall(r"`(\w+(?:/\w+)?\.py)`", text)
    assert [one for one in places if not (PACKAGE / one).exists()] == []
