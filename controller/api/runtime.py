"""What the routers need from the rest of the controller, and nothing else.

The composition root fills one `Runtime`. Arbiter and field are named by protocols, so that a router can be
read and tested without a device or a database server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Protocol

from controller.energy.meter import Metering
from controller.energy.tariff import TariffPlan
from controller.errors import NotFoundError, UnavailableError
from controller.notify.plan import NotifyPlan
from controller.report.timetable import ReportPlan
from controller.schedule.timetable import Timetable
from controller.settings.calendar import Calendar
from controller.settings.energy import EnergyPlan, Fleet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from controller.alarm.engine import AlarmEngine
    from controller.api.stream import StreamHub
    from controller.command.hold import Hold
    from controller.command.order import Command
    from controller.command.priority import Slot
    from controller.drill.engine import DrillEngine
    from controller.drill.scenario import Scenario
    from controller.field.field import DeviceStatus
    from controller.history.store import HistoryStore
    from controller.identity.identity import Identity
    from controller.job import Jobs
    from controller.journal.journal import Journal
    from controller.maintenance.works import Works
    from controller.notify.desk import NotifyDesk
    from controller.plan.plan import Plan
    from controller.plan.store import DrawingStore
    from controller.point.model import Limits, Site
    from controller.point.table import PointTable
    from controller.report.desk import Desk
    from controller.safety.watch import FireWatch
    from controller.schedule.booking import Booking
    from controller.schedule.engine import Wish
    from controller.schedule.timetable import Use
    from controller.settings.inventory import Inventory
    from controller.settings.overlay import Change
    from controller.strategy.charging.declaration import Declared
    from controller.strategy.engine import StrategyStatus
    from controller.strategy.strategy import Mode
    from drivers.driver import Clock
    from drivers.picture import Picture
    from drivers.profile import Profile
    from drivers.trial import Trial

__all__ = [
    "ApiSettings",
    "ArbiterView",
    "CalendarView",
    "FieldView",
    "LimitChange",
    "NotifyView",
    "Runtime",
    "ScheduleView",
    "StrategyView",
    "TestRead",
]


class ArbiterView(Protocol):
    """The calls of `controller.command.arbiter.Arbiter` that routers make."""

    def request(
        self,
        point_address: str,
        slot: int,
        value: float | None,
        owner: str,
        reason: str,
        expires_s: float | None,
        lease_s: float | None,
    ) -> Command:
        """Fill or empty a slot; raises a ShifuError when refused."""

    def slots(self, point: str) -> Sequence[Slot | None]:
        """Return the 16 slots of a point, slot 1 first."""

    def get(self, command_id: str) -> Command | None:
        """Return one command; None or NotFoundError when it is unknown."""

    def withdrawn(self, command: str) -> bool:
        """Tell whether a command was taken back because it could not be recorded."""

    def held(self, point: str) -> Hold | None:
        """Return what keeps slots of a point empty; None for most."""

    def recent(self, point: str | None = None) -> Sequence[Command]:
        """Return recent commands, newest first."""


class FieldView(Protocol):
    """The calls of `controller.field.field.Field` that routers make."""

    def statuses(self) -> Sequence[DeviceStatus]:
        """Return the state of every device."""

    async def picture(self, device: str) -> Picture:
        """Return the newest picture of a camera; raises a DriverError when there is none."""


class TestRead(Protocol):
    """The call of `controller.trial.Trials` that a router makes."""

    async def __call__(
        self,
        who: str,
        profile: Profile,
        endpoint: str,
        unit: int,
        options: Mapping[str, object],
        secrets: Mapping[str, str],
    ) -> Trial:
        """Return what the device said; a silent one is a trial too."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What `server.toml` says of the API. Defaults are those of the product."""

    https: bool = False
    """True when the server speaks TLS: cookies become Secure and HSTS is sent."""
    hosts: tuple[str, ...] = ()
    """Host names that the server answers to (without port). Empty: loopback names on plain HTTP, any on HTTPS."""
    body_limit: int = 1 << 20
    """Bytes of a request body; beyond it 413."""
    upload_limit: int = 5 << 20
    """Bytes of a file that is uploaded (drawings alone); beyond it 413."""
    requests_per_s: float = 50.0
    """Sustained requests per session, token or address; twice ten seconds of it may come at once."""
    sign_ins_per_min: float = 10.0
    """Sign-in attempts per address."""
    stream_clients: int = 1_000
    """Open streams in all."""
    metrics_token: str = dataclass_field(default="", repr=False)
    """Bearer token for /metrics from elsewhere; empty: loopback only."""


@dataclass(frozen=True, slots=True)
class LimitChange:
    """Who laid limits, or a plan, over those of the files, and until when."""

    owner: str
    reason: str
    since_ns: int
    until_ns: int | None
    """None: until somebody sets them back."""


def _no_plans() -> Mapping[tuple[str, str], Plan]:
    return {}


async def _keep_no_plan(building: str, floor: str, plan: Plan | None, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("plans cannot be changed here")


async def _unchanging(kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("calendars cannot be changed here")


async def _kept(kind: str, id_: str) -> None:  # noqa: ARG001
    raise UnavailableError("calendars cannot be changed here")


@dataclass(frozen=True, slots=True)
class CalendarView:
    """What the routers need of the calendars."""

    calendar: Callable[[], Calendar] = Calendar
    outages: Callable[[], Mapping[str, Works]] = dict
    """Equipment out of service now."""
    in_use: Callable[[], Mapping[str, Booking]] = dict
    """Equipment in use now."""
    change: Callable[[str, str], LimitChange | None] = lambda _kind, _id: None
    """Who changed an entry (kind, id) on a screen; None when it is as in the files."""
    of_files: Callable[[str, str], bool] = lambda _kind, _id: False
    """Whether the files have an entry (kind, id)."""
    set_entry: Callable[[str, str, Mapping[str, Any] | None, str, str], Awaitable[None]] = _unchanging
    """Keep a row (kind, id, row or None, owner, reason) and put it into effect; durable when it returns."""
    reset_entry: Callable[[str, str], Awaitable[None]] = _kept
    """Have an entry (kind, id) be as the files say again; durable when it returns."""


async def _no_roster(duty: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("rosters cannot be changed here")


@dataclass(frozen=True, slots=True)
class NotifyView:
    """What the routers need of notification."""

    plan: Callable[[], NotifyPlan] = NotifyPlan
    desk: NotifyDesk | None = None
    """None where nothing is sent: phones and links do not work there."""
    change: Callable[[str], LimitChange | None] = lambda _duty: None
    """Who changed the roster of a duty on a screen; None when it is as in the files."""
    set_roster: Callable[[str, Mapping[str, Any] | None, str, str], Awaitable[None]] = _no_roster
    """Keep a roster (duty, roster or None for that of the files, owner, reason) and put it into effect; durable when
    it returns."""


async def _no_schedule(kind: str, id_: str, value: Mapping[str, Any] | None, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("schedules cannot be changed here")


async def _no_reset(kind: str, id_: str) -> None:  # noqa: ARG001
    raise UnavailableError("schedules cannot be changed here")


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """What the routers need of the schedules. A kind is `plan` (a schedule) or `exception`."""

    timetable: Callable[[], Timetable] = Timetable
    base: Callable[[], Timetable] = Timetable
    """That of the files."""
    used: Callable[[int, int], Sequence[Use]] = lambda _start, _end: ()
    """The bookings between two times, ns UTC, with the equipment that they use."""
    wishes: Callable[[], Mapping[str, Wish]] = dict
    """What the schedules want now, by address of the point."""
    refused: Callable[[], Mapping[str, str]] = dict
    """Points whose slot could not be set at the last look, and why."""
    change: Callable[[str, str], LimitChange | None] = lambda _kind, _id: None
    """Who changed a schedule or exception (kind, id) on a screen; None when it is as in the files."""
    set: Callable[[str, str, Mapping[str, Any] | None, str, str], Awaitable[None]] = _no_schedule
    """Keep a change (kind, id, value, owner, reason) and put it into effect; durable when it returns."""
    reset: Callable[[str, str], Awaitable[None]] = _no_reset
    """Have it be as the files say again; durable when it returns."""


def _no_status(strategy: str) -> StrategyStatus:
    raise NotFoundError(f"no strategy {strategy[:60]!r}")


async def _fixed(strategy: str, mode: Mode, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("strategies cannot be switched here")


async def _undeclared(charger: str, said: Declared | None, owner: str, reason: str) -> None:  # noqa: ARG001
    raise UnavailableError("nothing can be declared here")


@dataclass(frozen=True, slots=True)
class StrategyView:
    """What the routers need of the strategies."""

    statuses: Callable[[], Sequence[StrategyStatus]] = tuple
    """All of them as they are now, in the order of the configuration."""
    status: Callable[[str], StrategyStatus] = _no_status
    """One by its id; raises NotFoundError."""
    change: Callable[[str], LimitChange | None] = lambda _strategy: None
    """Who switched it on the screen; None when its mode is that of the files."""
    set_mode: Callable[[str, Mode, str, str], Awaitable[None]] = _fixed
    """Switch one: (id, mode, owner, reason). The mode of the files ends the change. Durable and in effect when it
    returns; when it raises, nothing was changed."""
    declare: Callable[[str, Declared | None, str, str], Awaitable[None]] = _undeclared
    """Keep what is declared of the car at a charger: (charger, word, owner, reason); None takes it back. Durable when
    it returns, and the strategy decides at its next turn."""


def _ready() -> Mapping[str, bool]:
    return {}


def _no_inventory() -> Inventory:
    raise UnavailableError("this server shows no inventory; ask a running controller")


async def _nothing_amended(_made: Sequence[Change], _ended: Sequence[str]) -> None:
    _no_inventory()


async def _no_trial(
    who: str,  # noqa: ARG001 - the shape of the contract
    profile: Profile,  # noqa: ARG001
    endpoint: str,  # noqa: ARG001
    unit: int,  # noqa: ARG001
    options: Mapping[str, object],  # noqa: ARG001
    secrets: Mapping[str, str],  # noqa: ARG001
) -> Trial:
    raise UnavailableError("this server reads no devices; ask a running controller")


@dataclass(slots=True)
class Runtime:
    """Everything that routers may touch. `site` and `table` are callables, because `shifu apply` replaces both."""

    site: Callable[[], Site]
    table: Callable[[], PointTable]
    alarms: AlarmEngine
    arbiter: ArbiterView
    field: FieldView
    history: HistoryStore
    journal: Journal
    identity: Identity
    clock: Clock
    version: str
    fire: FireWatch
    set_limits: Callable[[str, Limits, str, str, int | None], Awaitable[None]]
    """Persist and apply limits of a point: (address, limits, owner, reason, end in ns or None). Those of the files end
    the change. Durable and in effect when it returns; when it raises, nothing was changed."""
    base_limits: Callable[[str], Limits | None] = lambda _: None
    """The limits of the files, below the overlay; None when not known."""
    limit_change: Callable[[str], LimitChange | None] = lambda _: None
    """The change that lies over the files' limits of a point; None when there is none."""
    calendar: CalendarView = dataclass_field(default_factory=CalendarView)
    notify: NotifyView = dataclass_field(default_factory=NotifyView)
    schedules: ScheduleView = dataclass_field(default_factory=ScheduleView)
    strategies: StrategyView = dataclass_field(default_factory=StrategyView)
    energy: Callable[[], EnergyPlan] = EnergyPlan
    tariff: Callable[[], TariffPlan] = TariffPlan
    metering: Metering = dataclass_field(init=False)
    """The history as quarter hours of energy; its memory is shared by all who ask."""
    reports: Desk | None = None
    report_plan: Callable[[], ReportPlan] = ReportPlan
    """When reports are made by themselves."""
    fleet: Callable[[], Fleet] = Fleet
    """Official vehicles; chargers ask `fleet().find(plate or card)`."""
    drills: DrillEngine | None = None
    """Fire drills; None where there are none (a server that only shows)."""
    scenarios: Callable[[], Mapping[str, Scenario]] = dict
    """Fire drills as the files have them, by id."""
    jobs: Jobs | None = None
    """Heavy work, in a process of its own; None where there is none."""
    overview: Callable[[], Sequence[str]] = tuple
    """Addresses of the points of the stream's topic `overview`."""
    ready: Callable[[], Mapping[str, bool]] = _ready
    """Named conditions for /readyz beside the journal, such as {"started": True}."""
    changing: asyncio.Lock = dataclass_field(default_factory=asyncio.Lock)
    """Held while somebody changes limits, devices, calendars or plans: of two who read the same, one is told."""
    folder: Path | None = None
    """The site's folder, for the drawings and documents that the configuration names."""
    drawings: DrawingStore | None = None
    """Uploaded drawings."""
    plans: Callable[[], Mapping[tuple[str, str], Plan]] = _no_plans
    """The plans in effect, by building and floor."""
    base_plans: Callable[[], Mapping[tuple[str, str], Plan]] = _no_plans
    """Those of the files."""
    plan_change: Callable[[str, str], LimitChange | None] = lambda _building, _floor: None
    """The change that lies over the files' plan of a floor; None when there is none."""
    set_plan: Callable[[str, str, Plan | None, str, str], Awaitable[None]] = _keep_no_plan
    """Persist and use a plan: (building, floor, plan, owner, reason); None, or that of the files, ends the change.
    Durable and in effect when it returns; when it raises, nothing was changed."""
    amend: Callable[[Sequence[Change], Sequence[str]], Awaitable[None]] = _nothing_amended
    """Make and end changes of equipment and devices: (made, keys ended). In effect when it returns; when it raises,
    nothing was changed."""
    inventory: Callable[[], Inventory] = _no_inventory
    """The rows of equipment and devices, as the files and the screen say them."""
    test_read: TestRead = _no_trial
    """Read a device that is not configured, once."""
    hub: StreamHub | None = None
    """Set by `create_app`; the cycle publishes into it."""
    metrics: Callable[[], Mapping[str, float]] = dict
    """Further gauges for /metrics, name (snake_case, without prefix) → value."""

    def __post_init__(self) -> None:
        self.metering = Metering(self.history, self.clock)
