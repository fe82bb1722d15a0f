"""Every test runs without sockets, AWS account or clock of its own, unless it says so."""

import atexit
import gc
import itertools
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

# The same examples at every run, and none that fails because a machine is slow.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
# As many as show that a rule holds at all, where the tests marked exhaustive are left out.
settings.register_profile("some", settings.get_profile("suite"), max_examples=30)

# Every boto3 session looks the descriptions of its services up in hundreds of folders, and parses
# megabytes of JSON, for itself. The suite opens hundreds of sessions, and for them all once is
# enough: the clients of one session share what is found, too.
_found: dict[object, object] = {}
_made = Loader.__init__


def _sharing(loader: Loader, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
    _made(loader, *arguments, **named)
    setattr(loader, "_cache", _found)  # noqa: B010


setattr(Loader, "__init__", _sharing)  # noqa: B010

_COLLECTS_EVERY = 50  # tests
_YOUNG = 1  # generations 0 and 1

_tests = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of a property in `make test`, and let workers end at once."""
    is_some = "not exhaustive" in config.getoption("markexpr")
    settings.load_profile("some" if is_some else "suite")
    if hasattr(config, "workerinput"):
        # All is reported by then, and Python would take thousands of modules down one by one.
        atexit.register(os._exit, 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector off modules and tests, which live as long as the suite.

    It would go through all of them again and again, a third of the time of a collection, and a
    quarter of that of the tests: between them it is called by hand.
    """
    gc.disable()
    collected = yield
    gc.freeze()
    atexit.register(gc.unfreeze)  # duckdb complains of what is left when Python ends
    return collected


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Collect what tests leave behind, but not after each of thousands.

    What outlived a collection is looked at no more: nearly all of it belongs to modules.
    """
    ran = yield
    if next(_tests) % _COLLECTS_EVERY == 0:
        gc.collect(_YOUNG)
    return ran


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """Collect what the last tests left behind; pytest, which looks next, need not look at all."""
    gc.collect(_YOUNG)
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the sockets, or open those to this machine."""
    if item.get_closest_marker("loopback"):
        enable_socket()
        socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True, scope="session")
def _no_aws_account() -> Iterator[None]:
    """No test sees the credentials, the profile or the CA of whoever runs it."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_ENDPOINT_URL", "REQUESTS_CA_BUNDLE"):
            environment.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            environment.setenv(name, "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
