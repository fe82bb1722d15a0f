"""One invocation of the real handler, with clocks around it: the last line says what they show.

Run by its path, on nothing but the packaged function: whatever else was imported before would be
missing from the handler's own import.
"""

import importlib
import resource
import sys
import time


class _Context:
    aws_request_id = "of-the-benchmark"

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda says it."""
        return round(1000 * (self._ends_at - time.monotonic()))


def _cpu_ms() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (usage.ru_utime + usage.ru_stime)


def _peak_rss_mib() -> float:
    """From Linux itself: ru_maxrss would count the process that started this one, too."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # imports nothing
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def _invoke(module: str, lambda_seconds: float) -> dict[str, object]:
    started = _cpu_ms()
    handler = importlib.import_module(module).handler  # what is measured
    imported = _cpu_ms()
    began = time.perf_counter()
    answer = handler({}, _Context(lambda_seconds))
    seconds = time.perf_counter() - began
    return {
        "import_cpu_ms": imported - started,
        "first_run_cpu_ms": _cpu_ms() - started,
        "seconds": seconds,
        "peak_rss_mib": _peak_rss_mib(),
        "healthy": answer["counts"]["healthy"],
        "unknown": answer["counts"]["unknown"],
        "report": answer["report"],
    }


if __name__ == "__main__":
    measured = _invoke(sys.argv[1], float(sys.argv[2]))
    import json

    print(json.dumps(measured))
