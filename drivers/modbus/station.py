"""What the Modbus driver knows of a device: its profile made ready for the wire, and how each of its blocks goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drivers.errors import ProfileError
from drivers.modbus.client import read_request
from drivers.modbus.codec import BlockDecoder
from drivers.modbus.plan import Request, plan_profile
from drivers.reading import Quality
from drivers.supervision import Breaker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drivers.driver import Device
    from drivers.errors import DriverError
    from drivers.modbus.plan import Plan
    from drivers.modbus.register import Register
    from drivers.profile import Profile

__all__ = ["NOT_READ", "Block", "PlannedProfile", "Read", "Station", "planned"]

NOT_READ = 255
"""Marks places of a batch under construction; never leaves this package."""
_CACHE_SIZE = 512
_EARLY = 0.9
"""A block that is read every so many seconds is due a little before: polls come when they come."""
_REST_S, _REST_LONGEST_S = 5.0, 15.0
"""How long a block that keeps costing a time-out is left alone, while others of its device answer."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Read:
    """One request as bytes, with its decoder."""

    pdu: bytes
    decoder: BlockDecoder
    every_s: float = 0.0
    follows: int = -1


class PlannedProfile:
    """A profile made ready for the wire: request bytes and decoders, shared by all its devices."""

    def __init__(self, plan: Plan) -> None:
        """Encode every request once."""
        self.plan = plan
        self.count = len(plan.profile.points)
        self.reads = tuple(_read(request) for request in plan.requests)
        readable = [register.place for register in plan.registers.values()]
        self.readable: NDArray[np.intp] = np.array(sorted(readable), np.intp)
        self.blank = np.full(self.count, np.nan)
        self.unread: NDArray[np.uint8] = np.full(self.count, NOT_READ, np.uint8)
        smallest = min(plan.requests, key=lambda request: request.count, default=None)
        self.probe = None if smallest is None else _read(smallest)

    def single(self, register: Register) -> Read:
        """Return the request for one point alone."""
        return _read(Request(register.function, register.address, register.size, (register,)))


def _read(request: Request) -> Read:
    pdu = read_request(request.function, request.address, request.count)
    return Read(pdu, BlockDecoder(request), request.every_s, request.follows)


_planned: dict[tuple[int, str, str], tuple[Profile, PlannedProfile]] = {}


def planned(device: Device) -> PlannedProfile:
    """Return the planned profile of a device; planned once for all devices of the same profile and options.

    Raises:
        ProfileError: the profile's Modbus part is wrong.
    """
    key = (id(device.profile), repr(device.options.get("word_order")), repr(device.options.get("base")))
    found = _planned.get(key)
    if found is None:
        if len(_planned) >= _CACHE_SIZE:
            _planned.clear()
        found = _planned[key] = (device.profile, PlannedProfile(plan_profile(device.profile, device.options)))
    return found[1]


@dataclass(slots=True)
class Block:
    """One request of one device, and how it has gone lately."""

    read: Read
    names: str
    """Its points, for people."""
    breaker: Breaker = field(default_factory=lambda: Breaker(first_s=_REST_S, cap_s=_REST_LONGEST_S))
    due: float = -math.inf
    """Monotonic time before which it is left alone, once the breaker is open."""
    quality: Quality = Quality.BAD_COMM
    """Of its points while it fails."""
    trouble: str = ""
    """What is wrong with it; empty while it answers."""
    read_at: float = -math.inf
    """Monotonic time of the last answer, and what the point that it follows was then."""
    seen: float = math.nan

    def idle(self, value: NDArray[np.float64], now: float) -> bool:
        """Tell whether it is not its turn: read not long ago, and the point that it follows is what it was."""
        if now >= self.read_at + _EARLY * self.read.every_s:
            return False
        return self.read.follows < 0 or not np.isfinite(value[self.read.follows]) or self._sees(value) == self.seen

    def taken(self, value: NDArray[np.float64], now: float) -> None:
        """Note that it was read."""
        self.read_at, self.seen = now, self._sees(value)

    def _sees(self, value: NDArray[np.float64]) -> float:
        return float(value[self.read.follows]) if self.read.follows >= 0 else math.nan

    def answered(self) -> None:
        """Forget the failures."""
        if self.trouble:
            self.trouble = ""
        if self.breaker.failures:
            self.breaker.succeeded()

    def refused(self, error: DriverError) -> None:
        """Note an answer that costs nobody time: it is asked again at the next poll."""
        self.breaker.succeeded()
        self.trouble = f"{self.names}: {error}"

    def failed(self, error: DriverError, quality: Quality, now: float) -> None:
        """Note a failure that costs the line its time; after three in a row it is left alone for some seconds."""
        self.quality = quality
        self.trouble = f"{self.names}: {error}"
        self.due = now + self.breaker.failed(mates_answer=True)


class Station:
    """One device as the driver needs it."""

    def __init__(self, device: Device) -> None:
        if not 0 <= device.unit <= 255:
            raise ProfileError(f"device {device.id}: unit: got {device.unit}, wanted 0 to 255")
        self.device = device
        self.map = planned(device)
        if len(device.numbers) != self.map.count:
            raise ProfileError(
                f"device {device.id}: {len(device.numbers)} point numbers for {self.map.count} points of its profile"
            )
        used = np.zeros(self.map.count, np.bool_)
        used[self.map.readable] = True
        used &= device.numbers >= 0
        self.select: NDArray[np.intp] | None = None if used.all() else np.flatnonzero(used)
        self.numbers = np.ascontiguousarray(
            device.numbers if self.select is None else device.numbers[self.select], np.int32
        )
        self.blocks = [
            Block(read, _names(self.map, read)) for read in self.map.reads if used[read.decoder.places].any()
        ]
        """In the order of the next poll: a block that cost the line its turn goes to the end."""


def _names(planned_profile: PlannedProfile, read: Read) -> str:
    points = planned_profile.plan.profile.points
    tags = [points[place].tag for place in read.decoder.places.tolist()]
    return ", ".join(tags[:_NAMED]) + (f" and {len(tags) - _NAMED} more" if len(tags) > _NAMED else "")
