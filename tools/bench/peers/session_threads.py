"""A Session that a ThreadPoolExecutor shares, as most people write it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

from tools.bench.target import AUTHORIZATION, TIMEOUT, Answered, Target, newest


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """One Session, a pool of threads."""
    with requests.Session() as session:
        session.verify = target.ca_file
        session.headers["Authorization"] = AUTHORIZATION
        # Those who leave the pool at its 10 connections pay several times as much above 10 threads.
        session.mount("https://", HTTPAdapter(pool_maxsize=target.in_flight))

        def ask(guid: str) -> None:
            response = session.get(target.url(guid), timeout=TIMEOUT)
            response.raise_for_status()
            answered(newest(response.json()))

        with ThreadPoolExecutor(target.in_flight) as pool:
            for _ in pool.map(ask, guids):
                pass  # an exception of a worker comes up here
