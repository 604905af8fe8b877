"""For `shifu read mqtt://host/topic`: subscribe, and show what comes."""

from __future__ import annotations

import asyncio
import math
import secrets as random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from drivers.errors import ConnectError, DecodeError, DeviceTimeoutError, ProfileError
from drivers.mqtt.driver import login_of
from drivers.mqtt.payload import parse_payload
from drivers.mqtt.route import Intake
from drivers.mqtt.session import Login, Session
from drivers.trial import Exchange, Trial, TrialPoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.driver import Clock, Device

__all__ = ["Sighting", "probe", "try_device"]

_MAX_VALUES = 200
_SHOWN = 2_000
"""Bytes of a payload that are shown."""


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
        ProfileError: `url` has no topic.
        ConnectError: no broker, or it refuses the login or the topic.
        DeviceTimeoutError: no message within `timeout_s`.
    """
    parts = urlsplit(url.replace("#", "%23"))
    topic = unquote(parts.path.lstrip("/"))
    if not topic:
        raise ProfileError(f"{url}: no topic; wanted mqtt://host:port/a/topic")
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


async def try_device(device: Device, clock: Clock, *, listen_s: float = 10.0) -> Trial:
    """Listen to a device's topics until each has said something, at most so long; show the last message of each.

    Raises:
        ProfileError: the profile or an option is wrong.
        ConnectError: no broker, or it refuses the login or every topic.
    """
    intake = Intake([device])
    login = replace(login_of([device]), client_id=f"shifu-trial-{random.token_hex(4)}")
    last: dict[str, tuple[bytes, bool]] = {}
    heard = asyncio.Event()

    def receive(topic: str, payload: bytes, retained: bool, large: bool) -> None:  # noqa: FBT001 - call-back
        last[topic] = (payload, retained)
        if large or last.keys() >= set(intake.topics):
            heard.set()

    session = Session(login, receive, lambda: None)
    await session.open()
    serving = asyncio.ensure_future(session.serve(clock))
    waiting = asyncio.ensure_future(heard.wait())
    try:
        refused = await session.subscribe(intake.topics)
        if len(refused) == len(intake.topics):
            raise ConnectError(f"{login.endpoint}: the broker refuses {', '.join(refused)}")
        await asyncio.wait((waiting, serving), timeout=listen_s, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        session.close()
        for task in (serving, waiting):
            task.cancel()
        await asyncio.gather(serving, waiting, return_exceptions=True)
    return _trial(device, intake, last, clock.now_ns(), listen_s)


def _trial(
    device: Device, intake: Intake, last: Mapping[str, tuple[bytes, bool]], now_ns: int, listen_s: float
) -> Trial:
    count = len(device.profile.points)
    value, quality = [math.nan] * count, [-1] * count
    raw = [""] * count
    exchanges = []
    for topic in intake.topics:
        if topic not in last:
            exchanges.append(Exchange(topic, "", "", f"no message within {listen_s:g} s"))
            continue
        payload, retained = last[topic]
        values, note = _leaves(payload)
        before = intake.counts.invalid
        for parcel in intake.take(topic, payload, retained=retained, now_ns=now_ns):
            for batch in parcel.batches:
                for place, one, good in zip(batch.point.tolist(), batch.value.tolist(), batch.quality, strict=True):
                    value[place], quality[place] = one, int(good)
        if intake.counts.invalid > before and not note:
            note = "nothing in it is what the profile wants"
        leaves = dict(values)
        for place, point in enumerate(device.profile.points):
            raw[place] = leaves.get(str(point.wire.get("path", "")), raw[place])
        what = f"{topic} (retained)" if retained else topic
        exchanges.append(Exchange(what, "", payload[:_SHOWN].decode("utf-8", "backslashreplace"), note))
    points = [
        TrialPoint(place, str(point.wire.get("path", "")), raw[place], value[place], None if at < 0 else at)
        for place, (point, at) in enumerate(zip(device.profile.points, quality, strict=True))
    ]
    error = "" if last else f"{device.endpoint}: no message on {', '.join(intake.topics)} within {listen_s:g} s"
    return Trial(tuple(exchanges), tuple(points), error)


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
