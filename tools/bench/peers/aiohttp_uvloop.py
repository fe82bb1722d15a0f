"""aiohttp on uvloop: the fastest of the usual ways in Python."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence

import aiohttp
import uvloop

from tools.bench.target import AUTHORIZATION, TIMEOUT, Answered, Target, newest


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """One ClientSession, a task for each request in flight."""
    uvloop.run(_ask_all(target, iter(guids), answered))


async def _ask_all(target: Target, guids: Iterator[str], answered: Answered) -> None:
    connect, read = TIMEOUT
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=target.in_flight, ssl=ssl.create_default_context(cafile=target.ca_file)
        ),
        headers={"Authorization": AUTHORIZATION},
        timeout=aiohttp.ClientTimeout(sock_connect=connect, sock_read=read),
        raise_for_status=True,
    ) as session:

        async def ask_on() -> None:
            for guid in guids:  # shared: each takes the next
                async with session.get(target.url(guid)) as response:
                    answered(newest(await response.json()))

        await asyncio.gather(*(ask_on() for _ in range(target.in_flight)))
