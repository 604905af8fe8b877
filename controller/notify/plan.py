"""What notify.toml amounts to: contacts and their ways, duties, routes with steps, channels. Values, no decisions.

A **contact** is a role or a mailbox of the house, never a named person. Its **ways** are tried in their order. A
**route** picks alarms by class, priority, place and time, and says in which **steps** contacts are told while nobody
acknowledges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.notify.roster import Duty, Hours, Quiet
    from controller.point.model import Name

__all__ = ["ChannelSpec", "Contact", "NotifyPlan", "Pace", "Route", "Step", "Target", "Way"]

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Way:
    """How a contact is reached: a channel, and where that leads when the channel itself does not say."""

    channel: str
    to: str = field(default="", repr=False)
    """Mail address, chat id …; never shown by the API."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom messages go to."""

    id: str
    name: Name
    ways: tuple[Way, ...]
    language: Language = "zh"
    user: str = ""
    """Account whose rights the acknowledge link has; empty: the message has none."""
    role: str = ""
    """Push goes to everybody with this role who has set up a phone."""
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One name in a step: `duty:<id>` or `contact:<id>`."""

    kind: Literal["duty", "contact"]
    id: str


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told when nobody has acknowledged so long after the alarm was raised."""

    after_s: float
    to: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Which alarms go to whom. An empty filter takes all; every route that takes an alarm is followed."""

    id: str
    name: Name
    steps: tuple[Step, ...]
    life_safety: bool | None = None
    """True: those alone; False: all others alone."""
    priorities: tuple[int, ...] = (1, 2, 3, 4)
    systems: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How many messages a contact gets one by one; what is beyond comes as one message with a count."""

    most: int = 5
    within_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One channel as the files say it. Secrets are in it: `repr` hides them, and nothing else may show it."""

    id: str
    kind: Literal["push", "mail", "webhook", "app"]
    name: Name
    host: str = ""
    port: int = 0
    security: Literal["tls", "starttls", "none"] = "starttls"
    sender: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    missing: Name | None = None
    """Why it cannot be used here, such as a secret that is not set; None when it can."""


@dataclass(frozen=True, slots=True)
class NotifyPlan:
    """Everything that notify.toml says."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    duties: Mapping[str, Duty] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    pace: Pace = Pace()
    address: str = ""
    """Under which phones find the control room, `https://…`; empty: messages have no links."""
    gateway: str = field(default="", repr=False)
    """HTTP proxy through which push and chat go out; empty: directly."""
    hosts: tuple[str, ...] = ()
    """Hosts of the house that may be reached without TLS, and directly in spite of a gateway."""
    reports: tuple[Target, ...] = ()
    """Who gets the reports that are made by schedule."""
    cleared: Literal["push", "all", "none"] = "push"
    """By which ways those who were told hear that the alarm is over."""
