"""requests.get in a loop: the first thing that everybody writes."""

from collections.abc import Sequence

import requests

from tools.bench.target import AUTHORIZATION, TIMEOUT, Answered, Target, newest


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """One at a time, a connection each."""
    for guid in guids:
        response = requests.get(
            target.url(guid),
            headers={"Authorization": AUTHORIZATION},
            timeout=TIMEOUT,
            verify=target.ca_file,
        )
        response.raise_for_status()
        answered(newest(response.json()))
