"""Calls that come when they come, whether or not those before them are answered: how long each takes from its time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

CONNECTIONS = 64


def at_a_rate(port: int, path: str, body: bytes, per_second: float, seconds: float, *, seed: int | None) -> list[float]:
    """Milliseconds of each call, sorted; evenly spaced, or at random (a Poisson process) with a ``seed``.

    Raises:
        ConnectionError: a call was not answered with 200.
    """
    return asyncio.run(_all(port, _request(port, path, body), list(_times(per_second, seconds, seed))))


def _times(per_second: float, seconds: float, seed: int | None) -> Iterator[float]:
    chance = random.Random(seed)
    at = 0.0
    while at < seconds:
        yield at
        at += 1 / per_second if seed is None else chance.expovariate(per_second)


def _request(port: int, path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _all(port: int, request: bytes, times: list[float]) -> list[float]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    loop = asyncio.get_running_loop()
    started = loop.time() + 0.1
    calls = []
    for at in times:
        await asyncio.sleep(max(0.0, started + at - loop.time()))
        calls.append(asyncio.create_task(_one(free, request, started + at)))
    took = await asyncio.gather(*calls)
    while not free.empty():
        free.get_nowait()[1].close()
    return sorted(took)


async def _one(
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]], request: bytes, due: float
) -> float:
    connection = await free.get()
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head.partition(b"\r\n")[0].decode())
    [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(length.partition(b":")[2]))
    took = asyncio.get_running_loop().time() - due
    free.put_nowait(connection)
    return took * 1000
