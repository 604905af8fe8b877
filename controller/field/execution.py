"""Carries out one order of the arbiter: one write, then a read-back that says what is in effect."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from controller.command.order import Outcome
from drivers.errors import ConnectError, DeviceTimeoutError, DriverError, GiveUpError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.command.order import Order
    from controller.field.field import Field
    from controller.point.model import Site
    from drivers.driver import Clock

__all__ = ["execute"]

_log = logging.getLogger(__name__)
_READBACKS = 3
_PAUSE_S = 1.0


async def execute(
    order: Order,
    field: Field,
    site: Site,
    clock: Clock,
    verifying: Callable[[], None],
    forbidden: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Write once and verify; never raises (but CancelledError) and never writes twice.

    `done`: the read-back agrees. `failed`: the device refused, or holds another value. `unknown`: nobody can say.
    `expired`: its time was over before it could be sent, or `forbidden` says that it must not go out any more.
    `verifying` is called when the write is out.
    """
    try:
        return await _execute(order, field, site, clock, verifying, forbidden)
    except Exception as error:  # noqa: BLE001 - a fault of a driver must not leave a command without an end
        _log.exception("the order for %s was cut short", order.point.address)
        return Outcome("unknown", None, f"cut short by a fault of the controller: {error!r}; check it on site")


async def _execute(
    order: Order,
    field: Field,
    site: Site,
    clock: Clock,
    verifying: Callable[[], None],
    forbidden: Callable[[], bool],
) -> Outcome:
    point = order.point
    device, tag = _readback(order, site)
    if order.kind == "reassert":
        if not field.connected(device):
            return Outcome(
                "unknown", None, "not compared: no connection to the device; nothing was written", sent=False
            )
        try:
            held = await field.read(device, tag)
        except DriverError as error:
            return Outcome("unknown", None, f"not compared, nothing was written: {error}", sent=False)
        if not math.isfinite(held):
            return Outcome("unknown", None, "not compared: the device tells no value; nothing was written", sent=False)
        if _agrees(order, held):
            return Outcome("done", held, "the device holds it already", sent=False)
    if clock.monotonic() > order.expires:
        return _expired()
    if not field.connected(point.device):
        return Outcome("failed", None, "no connection to the device; nothing was sent", sent=False)
    lost = ""
    try:
        await field.write(point.device, point.tag, order.value, before=order.expires, unless=forbidden)
    except NotSentError as error:
        if forbidden():
            return Outcome("expired", None, "its point is held or paused since; nothing was written", sent=False)
        if clock.monotonic() > order.expires:
            return _expired()
        return Outcome("failed", None, str(error), sent=False)
    except (DeviceTimeoutError, ConnectError) as error:
        lost = str(error)
    except DriverError as error:
        return Outcome("failed", None, str(error))
    verifying()
    if point.write is not None and point.write.momentary:
        return Outcome("unknown", None, lost) if lost else Outcome("done", None, "the device took it")
    return await _verify(order, field, clock, device, tag, lost)


def _expired() -> Outcome:
    return Outcome("expired", None, "its time was over before it could be sent; nothing was written", sent=False)


async def _verify(order: Order, field: Field, clock: Clock, device: str, tag: str, lost: str) -> Outcome:
    held = math.nan
    trouble = lost
    for attempt in range(_READBACKS):
        settle = order.point.write.settle_s if order.point.write else 0.0
        await clock.sleep(settle if attempt == 0 else _PAUSE_S)
        try:
            held = await field.read(device, tag)
        except GiveUpError as error:
            return Outcome("unknown", None, f"written, but it cannot be read back: {error}")
        except DriverError as error:
            trouble = str(error)
            continue
        if _agrees(order, held):
            return Outcome("done", held, "the answer was lost, but the value is in effect" if lost else "")
    if math.isnan(held):
        return Outcome("unknown", None, f"written, but nothing answers: {trouble}; check it on site")
    return Outcome("failed", held, f"the device holds {held:g} {order.point.unit}".rstrip())


def _agrees(order: Order, held: float) -> bool:
    tolerance = order.point.write.tolerance if order.point.write else 0.0
    return math.isfinite(held) and abs(held - order.value) <= tolerance + 1e-9 * abs(order.value)


def _readback(order: Order, site: Site) -> tuple[str, str]:
    spec = order.point.write
    if spec is not None and spec.readback and spec.readback in site.points:
        other = site.points[spec.readback]
        return other.device, other.tag
    return order.point.device, order.point.tag
