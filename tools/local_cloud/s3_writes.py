"""Conditional writes as S3 has them, for tests in which several threads write at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.s3.responses import S3Response

_WRITES = ("_key_response_put", "_key_response_post")  # whole objects; the end of an upload


@contextmanager
def one_write_at_a_time() -> Iterator[None]:
    """moto looks whether a condition holds and then writes; with S3 both are one."""
    lock = threading.Lock()

    def locked(write: Callable[..., Any]) -> Callable[..., Any]:
        def locked_write(*arguments: object) -> Any:  # noqa: ANN401  # whatever moto answers
            with lock:
                return write(*arguments)

        return locked_write

    with ExitStack() as patches:
        for name in _WRITES:
            patches.enter_context(patch.object(S3Response, name, locked(getattr(S3Response, name))))
        yield
