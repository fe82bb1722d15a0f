"""A Cloud Controller's list of instances over HTTP on loopback, in a process of its own.

    python -m tools.bench.list_server 100000

It prints its address, and runs until its standard input ends. What it does weighs on nobody's CPU.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tools.bench.children import ChildFailed, clean_environment
from tools.bench.discovered import InstanceList

_PATH = "/v3/service_instances"


@contextlib.contextmanager
def running(instances: int) -> Iterator[str]:
    """Yield the address of an API that lists so many instances."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.bench.list_server", str(instances)],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        url = child.stdout.readline().strip()
        if not url:
            raise ChildFailed("the list's server does not start; what it says stands above")
        yield url
        # To leave the block closes the child's standard input, and that ends it.


def _handler(listed: InstanceList) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: without it the second would wait for the first's receipt.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            is_list = path == _PATH
            body = listed.answer(query) if is_list else b"{}"
            self.send_response(200 if is_list else 404)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


def main() -> None:
    """Serve until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(InstanceList(int(sys.argv[1]))))
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
