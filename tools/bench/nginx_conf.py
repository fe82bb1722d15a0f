"""The configuration of nginx that makes it an API which takes its time."""

import json
from collections.abc import Iterable

from tools.bench.discovered import row

HOST = "127.0.0.1"
LIMITED = "/limited"  # the API that refuses more than ALLOWED_AT_ONCE
ALLOWED_AT_ONCE = 64
LIMITED_LATENCY_MS = 50
HANGING = "/hanging"  # the API that answers for one instance never
HUNG = row(500).guid
PAGES = "pages"  # the folder of the inventories, each in one of its own, named by its size
PAGE_SIZE = 1_000  # instances, as the product asks for them

_BACKUP_EVERY = 24 * 3600  # seconds
_JSON = 'default_type "application/json; charset=utf-8";'
_REQUEST_ID = "add_header X-VCAP-Request-ID $request_id;"

# What the Cloud Controller says where a client asks for too much at once, as text/plain.
_TOO_MANY = (
    '{"errors":[{"code":10016,"title":"CF-ServiceBrokerRateLimitExceeded",'
    '"detail":"Service broker concurrent request limit exceeded"}]}'
)


def api_path(latency_ms: int, backups: int, instances: int | None = None) -> str:
    """Where the API lies that takes so long, with so many backups in each answer.

    With a number it lists so many instances, else none.
    """
    path = f"/L{latency_ms}_B{backups}"
    return path if instances is None else f"{path}/N{instances}"


def page_file(since: str | None) -> str:
    """The name of the file with the page that begins at a time; None for the first page."""
    return f"{(since or 'first').replace(':', '')}.json"


def answer(newest: int, backups: int) -> str:
    """A list of daily backups, the newest in its middle: nothing promises an order."""
    ages = [(index - backups // 2) % backups for index in range(backups)]
    times = [newest - age * _BACKUP_EVERY for age in ages]
    # An id is opaque; those of the real API are about as long.
    entries = [{"id": f"1c8a5b1e-6f0d-4c7e-9a44_{at}", "created_at": at} for at in times]
    return json.dumps({"backups": entries}, separators=(",", ":"))


# Which file answers a request for the inventory: by the time in created_ats[gte].
_LISTED = r"""
    map $args $listed {
        "~type=user-provided" none;
        "~guids=" none;
        "~created_ats(?:%5B|\[)gte(?:%5D|\])=(?<day>[0-9-]+)T(?<h>..)(?::|%3A)(?<m>..)(?::|%3A)(?<s>..)Z"
            "${day}T$h$m${s}Z";
        default first;
    }"""


def configuration(
    module: str,
    port: int,
    latencies_ms: Iterable[int],
    backups: Iterable[int],
    newest: int,
    *,
    fleets: Iterable[int] = (),
) -> str:
    """nginx.conf; its files lie beside it: server.pem, limited.log with a line for each refusal.

    The inventories of these fleets are files in PAGES; the last is that of the API that hangs.
    """
    fleets = list(fleets)
    sizes = sorted(backups)
    locations = [
        _location(
            "= /oauth/token",
            _JSON,
            """return 200 '{"access_token":"of-the-benchmark","token_type":"bearer"}';""",
        ),
        _location(
            LIMITED,
            f"limit_conn one_for_all {ALLOWED_AT_ONCE};",
            "limit_conn_status 429;",
            "error_page 429 = @too_many;",
            *_slow(LIMITED_LATENCY_MS, sizes[0]),
        ),
        _location(
            "@too_many",
            "access_log limited.log line;",  # a request is logged where it ends
            'default_type "text/plain; charset=utf-8";',
            _REQUEST_ID,
            f"return 429 '{_TOO_MANY}';",
        ),
    ]
    hung = f"~ ^{HANGING}/v3/service_instances/{HUNG}/"
    locations.append(_location(hung, "echo_sleep 3600;"))
    locations.append(_location(HANGING, *_slow(LIMITED_LATENCY_MS, sizes[0])))
    for instances in fleets:
        file = f"/{PAGES}/{instances}/$listed.json"
        locations.append(
            _location(f"@list_{instances}", _JSON, "root .;", f"try_files {file} =404;")
        )
    for instances in fleets[-1:]:
        hanging = f"= {HANGING}/v3/service_instances"
        locations.append(_location(hanging, f"echo_exec @list_{instances};"))
    for size in sizes:
        locations.append(
            _location(f"@{size}", _JSON, _REQUEST_ID, f"return 200 '{answer(newest, size)}';")
        )
        for latency_ms in latencies_ms:
            path = api_path(latency_ms, size)
            locations.append(_location(f"= {path}/", _JSON, f"return 200 '{_root(port, path)}';"))
            locations.append(_location(path, *_slow(latency_ms, size)))
            locations += [
                _location(
                    f"= {api_path(latency_ms, size, instances)}/v3/service_instances",
                    f"echo_sleep {latency_ms / 1000};",
                    f"echo_exec @list_{instances};",
                )
                for instances in fleets
            ]
    return f"""\
load_module {module};
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    log_format line '$status $msec';
    limit_conn_zone $server_name zone=one_for_all:1m;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;{_LISTED if fleets else ""}
    server {{
        listen {HOST}:{port} ssl backlog=1024;
        server_name bench;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
{"".join(locations)}    }}
}}
"""


def _slow(latency_ms: int, backups: int) -> tuple[str, str]:
    """Wait, then answer where it is `return` that answers: unlike echo, it knows the length."""
    return f"echo_sleep {latency_ms / 1000};", f"echo_exec @{backups};"


def _root(port: int, path: str) -> str:
    """The root document, for clients that look there first."""
    url = f"https://{HOST}:{port}"
    links = {"self": url + path, "login": url, "cloud_controller_v3": f"{url}{path}/v3"}
    return json.dumps({"links": {name: {"href": href} for name, href in links.items()}})


def _location(where: str, *directives: str) -> str:
    lines = "".join(f"            {directive}\n" for directive in directives)
    return f"        location {where} {{\n{lines}        }}\n"
