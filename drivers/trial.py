"""A trial: what somebody asks of a device that is not configured yet, and what it answered, byte for byte.

Each protocol has a function that makes one: `drivers.modbus.probe`, `drivers.opcua.browse`, `drivers.mqtt.sighting`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Exchange", "Trial", "TrialPoint"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer, or one message that came."""

    what: str
    """Function and registers, or the topic."""
    request: str
    """Bytes sent, in hexadecimal; empty where nothing was asked."""
    answer: str
    """Bytes received, in hexadecimal; of a message its text where it is one."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One point of the profile as it was read."""

    place: int
    """In `profile.points`."""
    where: str
    """Register, node or path."""
    raw: str
    """Its own bytes in hexadecimal, or the value as it came; empty when there is none."""
    value: float
    """NaN where there is none."""
    quality: int | None
    """As in `drivers.reading.Quality`; None where nothing was said of it."""
    status: str = ""
    """What the device or server said of it, where it said something."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test read. A device that does not answer is a trial too: its `error` says so."""

    exchanges: tuple[Exchange, ...]
    points: tuple[TrialPoint, ...]
    error: str = ""
    """Why nothing, or not everything, was read."""
