"""Cuts connections on which an answer takes too long.

A socket's time-out starts anew with every byte, so a server that drips can hold a worker for
hours. One thread looks at all the connections in use; cutting one wakes the worker that reads.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

_LOOKS_EVERY = 0.25  # seconds


class Watch:
    """One answer, the API's or a proxy's, that is waited for; `over` once its time is."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self.until = until
        self.over = False

    def cut(self) -> None:
        """End the connection under whoever reads from it."""
        self.over = True
        with contextlib.suppress(OSError):  # closed this very moment
            # Not SSLSocket's own shutdown, which would drop TLS while another thread reads.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


class Watchdog:
    """Watches from the first answer on until it is stopped."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def watching(self, sock: socket.socket, seconds: float) -> Iterator[Watch]:
        """Cut the connection if the block takes longer."""
        watch = Watch(sock, time.monotonic() + seconds)
        self._watches.add(watch)
        if self._thread is None:
            self._start()
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._stopped.wait(_LOOKS_EVERY):
            now = time.monotonic()
            for watch in self._watches.copy():  # atomic, as all that the workers do with it
                if now >= watch.until:
                    watch.cut()
