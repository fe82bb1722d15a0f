"""Of many cases of a rule, some for `make test`; the others are marked exhaustive."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import pytest


def rest(*case: object, **named: Any) -> Any:  # noqa: ANN401
    """A case that `make check` tries, and `make test` leaves out."""
    return pytest.param(*case, marks=pytest.mark.exhaustive, **named)


def one_of_each(cases: Iterable[str], kind: Callable[[str], Hashable]) -> Iterator[Any]:
    """All cases; the first of each kind is for `make test`, too."""
    seen = set[Hashable]()
    for case in cases:
        is_first = kind(case) not in seen
        seen.add(kind(case))
        yield case if is_first else rest(case)
