"""Runs a process at the share of a CPU that Lambda gives to 512 MB: less than the function has."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

SHARE = 512 / 1769  # of a CPU; Lambda gives a whole one at 1,769 MB
_PERIOD = 0.02  # seconds, of the quota
_LOOKS_EVERY = 0.001  # seconds between looks at the CPU time, where there is no quota
_ROOT = Path("/sys/fs/cgroup")
_NAME = "backup-audit-bench"


class Limited(Protocol):
    """A children.Run at that share; `how` says by what means."""

    how: str

    def __call__(
        self, command: Sequence[str], told: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]: ...


@contextlib.contextmanager
def limited() -> Iterator[Limited]:
    """By a quota of a control group where one can be made, else by signals."""
    made = next(filter(None, (make() for make in (_version_2, _version_1))), None)
    if made is None:
        yield Stopping()
        return
    try:
        yield made
    finally:
        made.group.rmdir()


class Quota:
    """Starts a process in a control group whose quota is set."""

    def __init__(self, group: Path, version: int) -> None:
        self.group = group
        self.how = f"a cgroup quota (v{version})"

    def __call__(
        self, command: Sequence[str], told: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        enter = f'echo $$ > {self.group}/cgroup.procs && exec "$@"'
        return subprocess.run(
            ["/bin/sh", "-c", enter, "sh", *command],
            input=told,
            env=environment,
            capture_output=True,
            check=False,
        )


class Stopping:
    """Stops a process that has had its share of a period, until the period is over."""

    how = "SIGSTOP and SIGCONT"

    def __call__(
        self, command: Sequence[str], told: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            over = threading.Event()
            holder = threading.Thread(target=_hold, args=(child.pid, over))
            holder.start()
            try:
                out, err = child.communicate(told)
            finally:
                over.set()
                holder.join()
        return subprocess.CompletedProcess(command, child.returncode, out, err)


def _hold(pid: int, over: threading.Event) -> None:
    """Let a process have its share, no more, in each period; one that is gone needs none."""
    clock = (~pid << 3) | 2  # Linux: the CPU time of another process, its threads included
    with contextlib.suppress(OSError):
        while not over.is_set():
            ends_at = time.monotonic() + _PERIOD
            had = time.clock_gettime(clock)
            while (left := ends_at - time.monotonic()) > 0 and not over.is_set():
                if time.clock_gettime(clock) - had >= SHARE * _PERIOD:
                    os.kill(pid, signal.SIGSTOP)
                    over.wait(left)
                    os.kill(pid, signal.SIGCONT)
                    break
                over.wait(min(left, _LOOKS_EVERY))


def _version_1() -> Quota | None:
    period = round(_PERIOD * 1e6)
    settings = {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": round(SHARE * period)}
    return _made(_ROOT / "cpu" / _NAME, 1, settings)


def _version_2() -> Quota | None:
    own = Path("/proc/self/cgroup").read_text("ascii").partition("0::/")[2].partition("\n")[0]
    period = round(_PERIOD * 1e6)
    settings = {"cpu.max": f"{round(SHARE * period)} {period}"}
    return _made(_ROOT / own.lstrip("/") / _NAME, 2, settings)


def _made(group: Path, version: int, settings: Mapping[str, object]) -> Quota | None:
    try:
        if not group.parent.is_dir():
            return None
        group.mkdir(exist_ok=True)
    except OSError:
        return None
    try:
        for name, value in settings.items():
            with (group / name).open("r+", encoding="ascii") as file:
                file.write(str(value))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        return None
    return Quota(group, version)
