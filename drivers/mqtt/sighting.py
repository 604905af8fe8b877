"""For `shifu read mqtt://host/topic`: subscribe, and show what comes."""

from __future__ import annotations

import asyncio
import secrets as random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from drivers.errors import ConnectError, DecodeError, DeviceTimeoutError
from drivers.mqtt.payload import parse_payload
from drivers.mqtt.session import Login, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.driver import Clock

__all__ = ["Sighting", "probe"]

_MAX_VALUES = 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message as it came."""

    topic: str
    raw: bytes
    retained: bool
    time_ns: int
    values: tuple[tuple[str, str], ...]
    """(path, value) of every leaf of a JSON object, at most 200; empty when the payload is none."""
    note: str
    """Why there are no values, or empty."""


async def probe(
    url: str, clock: Clock, *, timeout_s: float = 10.0, secrets: Mapping[str, str] | None = None
) -> Sighting:
    """Wait for the next (or the retained) message of the topic in `url`; `#` and `+` may be used here.

    Raises:
        ConnectError: no broker, or it refuses the login or the topic; or `url` has no topic.
        DeviceTimeoutError: no message within `timeout_s`.
    """
    parts = urlsplit(url.replace("#", "%23"))
    topic = unquote(parts.path.lstrip("/"))
    if not topic:
        raise ConnectError(f"{url}: no topic; wanted mqtt://host:port/a/topic")
    given = secrets or {}
    login = Login(
        endpoint=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        client_id=f"shifu-read-{random.token_hex(4)}",
        user=given.get("user", ""),
        password=given.get("password", ""),
        ca=given.get("ca", ""),
    )
    first: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()

    def receive(name: str, payload: bytes, retained: bool, large: bool) -> None:  # noqa: FBT001 - call-back
        if not first.done():
            values, note = ((), "larger than 256 KiB, cut off") if large else _leaves(payload)
            first.set_result(Sighting(name, payload, retained, clock.now_ns(), values, note))

    session = Session(login, receive, lambda: None)
    await session.open()
    serving = asyncio.ensure_future(session.serve(clock))
    try:
        refused = await session.subscribe([topic])
        if refused:
            raise ConnectError(f"{login.endpoint}: the broker refuses {topic}: {refused[topic]}")
        await asyncio.wait((first, serving), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            return first.result()
        if serving.done():
            serving.result()
        raise DeviceTimeoutError(f"{login.endpoint}: no message on {topic} within {timeout_s:g} s")
    finally:
        session.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _leaves(payload: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    try:
        document = parse_payload(payload)
    except DecodeError as error:
        return (), str(error)
    found: list[tuple[str, str]] = []
    todo: list[tuple[str, object]] = [("", document)]
    while todo and len(found) < _MAX_VALUES:
        path, value = todo.pop()
        if isinstance(value, dict):
            todo.extend((f"{path}.{key}" if path else key, inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list):
            todo.extend((f"{path}[{place}]", inner) for place, inner in reversed(list(enumerate(value))))
        else:
            found.append((path, repr(value)[:200]))
    return tuple(found), ""
