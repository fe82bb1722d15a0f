"""Many threads decode answers at the same moment, in a process that has decoded none before.

msgspec learns a type when it first meets it. Two threads that meet it at once see what is half
learned, and the process dies of it. So the types of answers are learned when the package is
imported, by the one thread that imports it.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import backup_audit

SOURCES = Path(backup_audit.__file__).parents[1]

# A module that is imported anew has types that nobody has met: each round is a first time.
CHILD = """
import contextlib, importlib, json, sys, threading

NAMES = ["attempt", "cloud_controller", "page", "authorization"]
MODULES = [f"backup_audit.probe.{name}" for name in NAMES]
ROUNDS, THREADS = 30, 32

BODIES = {
    "backups": {"backups": [{"id": "x", "created_at": 1769835600}]},
    "created_at": {"created_at": "2024-01-01T00:00:00Z"},
    "page": {"pagination": {"total_results": 1, "next": None}, "resources": [{"guid": "a"}]},
    "refusal": {"errors": [{"code": 10010, "title": "CF-ResourceNotFound", "detail": "x"}]},
    "root": {"links": {"login": {"href": "https://login.example.com"}}},
    "token": {"access_token": "abc", "expires_in": 600, "scope": "cloud_controller.read"},
}
BODIES = {name: json.dumps(body).encode() for name, body in BODIES.items()}


class Http:
    def __init__(self, reply):
        self.reply = reply

    @contextlib.contextmanager
    def get(self, url, authorization=None):
        name = url.rsplit("/", 1)[-1].partition("?")[0] or "root"
        yield self.reply(status=404 if name == "refusal" else 200, headers={}, body=BODIES[name])

    @contextlib.contextmanager
    def post(self, url, form):
        yield self.reply(status=200, headers={}, body=BODIES["token"])

    cut = cut_all = None


def decoded_by_many():
    for name in MODULES:
        sys.modules.pop(name, None)
    modules = {name: importlib.import_module(f"backup_audit.probe.{name}") for name in NAMES}
    from backup_audit.probe.http import Reply
    from backup_audit.judge.evidence import BackupList, Observation, Refusal
    from datetime import UTC, datetime

    http, now = Http(Reply), datetime(2026, 1, 31, tzinfo=UTC)
    header = modules["authorization"].ReadyHeader(modules["authorization"].Secret("bearer x"))
    api = modules["cloud_controller"].CloudController(
        "https://api.example.com", http, header, clock=lambda: now
    )
    pages = modules["page"].PageReader(["tier"], lambda: now)
    empty = Observation(answer=BackupList(()), observed_at=now)

    def reads(body):
        return pages.read(body, before=0, per_page=1)

    def grant():
        credentials = modules["authorization"].ClientCredentials("id", header.value)
        return modules["authorization"].ClientCredentialsGrant(
            "https://api.example.com", http, credentials
        )

    def backups(body):
        return modules["cloud_controller"]._backups(body, None)

    jobs = [
        (lambda: api._ask("https://x/backups", backups), "BackupList"),
        (lambda: api.add_age("created_at", empty), "BackupList"),
        (lambda: api._ask("https://x/page", reads), "Page"),
        (lambda: api._ask("https://x/refusal", reads), "Refusal"),
        (lambda: grant().header(), "bearer abc"),
    ]
    for job, kind in jobs:
        found = [
            one if isinstance(one, str) else type(one.evidence.answer).__name__
            for one in done_by_many(job)
        ]
        assert found == [kind] * THREADS, found


def done_by_many(job):
    results, together = [], threading.Barrier(THREADS)

    def work():
        together.wait()
        try:
            results.append(job())
        except Exception as error:
            results.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


sys.setswitchinterval(1e-6)
for _ in range(ROUNDS):
    decoded_by_many()
print("alive")
"""


@pytest.mark.exhaustive
def test_no_two_threads_meet_a_type_of_an_answer_for_the_first_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )

    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


PROBE = sorted(Path(backup_audit.__file__).parent.glob("probe/*.py"))


@pytest.mark.parametrize("path", PROBE, ids=lambda path: path.stem)
def test_no_function_that_workers_run_teaches_msgspec_a_type(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    called = {
        ast.unparse(node.func)
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    }

    assert not called & {"msgspec.json.Decoder", "msgspec.json.decode", "msgspec.convert"}
