"""What a new execution environment has to import before it can take an event."""

import subprocess
import sys

# Whole packages beside the standard library; each costs milliseconds of every cold start.
EXPECTED = {
    "aws_lambda_powertools",  # the logger and the metrics
    "backup_audit",
    "botocore",  # powertools': the bare package, none of its modules
    "certifi",
    "charset_normalizer",  # requests'
    "idna",  # requests'
    "jmespath",  # powertools'
    "msgspec",
    "requests",
    "typing_extensions",  # powertools'
    "urllib3",
}

_PROGRAM = """
import sys
before = set(sys.modules)
import backup_audit.handler
after = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(name for name in after if name not in sys.stdlib_module_names))
print(*sorted(set(sys.modules) - before))
"""


def imported() -> tuple[set[str], set[str]]:
    """The packages that the handler's import brings along, and all their modules."""
    printed = subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True
    ).stdout
    packages, modules = printed.splitlines()
    return set(packages.split()), set(modules.split())


def test_the_handlers_import_brings_along_these_packages_and_no_others() -> None:
    packages, _ = imported()

    # Compilers leave modules of their own beside those that they compiled.
    found = {n for n in packages if not n.endswith("__mypyc") and "cython" not in n}
    assert found == EXPECTED


def test_boto3_comes_with_the_first_request_to_aws() -> None:
    _, modules = imported()

    assert not {name for name in modules if name.startswith(("boto3", "botocore.", "s3transfer"))}


def test_what_draws_the_page_comes_with_the_page() -> None:
    packages, modules = imported()

    assert not packages & {"jinja2", "markupsafe"}
    assert not {name for name in modules if name.startswith("backup_audit.page")}
