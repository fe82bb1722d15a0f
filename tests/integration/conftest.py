"""What whole runs do, without the time that they would wait."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from backup_audit.probe import pacing


@pytest.fixture(autouse=True, scope="module")
def _again_at_once() -> Iterator[None]:
    """Send requests again at once: what becomes of them is asked here, and when in other tests."""
    with patch.object(pacing, "_BACKOFF_FIRST", 0.001):
        yield
