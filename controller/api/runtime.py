"""What the routers need from the rest of the controller, and nothing else.

The composition root fills one `Runtime`. Arbiter, field and history are named by protocols, so that a router can be
read and tested without a device or a database server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from controller.alarm.engine import AlarmEngine
    from controller.api.stream import StreamHub
    from controller.command.arbiter import Command
    from controller.command.priority import Slot
    from controller.field.field import DeviceStatus
    from controller.identity.identity import Identity
    from controller.journal.journal import Journal
    from controller.point.model import Limits, Site
    from controller.point.table import PointTable
    from drivers.driver import Clock

__all__ = ["ApiSettings", "ArbiterView", "BucketsView", "FieldView", "HistoryView", "Runtime", "SeriesView"]


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

    def recent(self, point: str | None = None) -> Sequence[Command]:
        """Return recent commands, newest first."""


class FieldView(Protocol):
    """The call of `controller.field.field.Field` that routers make."""

    def statuses(self) -> Sequence[DeviceStatus]:
        """Return the state of every device."""


class SeriesView(Protocol):
    """Raw history of one point: arrays of one length, oldest first."""

    @property
    def number(self) -> int:
        """Point number."""

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """Source times, ns UTC."""

    @property
    def value(self) -> NDArray[np.float64]:
        """Values in the point's unit, NaN where none."""

    @property
    def quality(self) -> NDArray[np.uint8]:
        """Qualities."""

    @property
    def before(self) -> tuple[int, float, int] | None:
        """The last reading before the start: time_ns, value, quality."""


class BucketsView(Protocol):
    """Aggregated history of one point: arrays of one length, oldest first."""

    @property
    def number(self) -> int:
        """Point number."""

    @property
    def start_ns(self) -> NDArray[np.int64]:
        """Start of each bucket, ns UTC."""

    @property
    def minimum(self) -> NDArray[np.float64]:
        """Smallest good value, NaN where none."""

    @property
    def maximum(self) -> NDArray[np.float64]:
        """Largest good value, NaN where none."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the good values, NaN where none."""

    @property
    def last(self) -> NDArray[np.float64]:
        """Last good value, NaN where none."""

    @property
    def good_share(self) -> NDArray[np.float64]:
        """Share of good readings, 0 to 1."""


class HistoryView(Protocol):
    """The calls of `controller.history.store.HistoryStore` that routers make."""

    async def raw(
        self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000
    ) -> Sequence[SeriesView]:
        """Return raw readings of each point in [start, end)."""

    async def aggregate(
        self, numbers: Sequence[int], start_ns: int, end_ns: int, bucket_ns: int
    ) -> Sequence[BucketsView]:
        """Return buckets of each point in [start, end)."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What `server.toml` says of the API. Defaults are those of the product."""

    https: bool = False
    """True when the server speaks TLS: cookies become Secure and HSTS is sent."""
    hosts: tuple[str, ...] = ()
    """Host names that the server answers to (without port). Empty: loopback names on plain HTTP, any on HTTPS."""
    body_limit: int = 1 << 20
    """Bytes of a request body; beyond it 413."""
    requests_per_s: float = 50.0
    """Sustained requests per session, token or address; twice ten seconds of it may come at once."""
    sign_ins_per_min: float = 10.0
    """Sign-in attempts per address."""
    stream_clients: int = 1_000
    """Open streams in all."""
    metrics_token: str = field(default="", repr=False)
    """Bearer token for /metrics from elsewhere; empty: loopback only."""


def _ready() -> Mapping[str, bool]:
    return {}


@dataclass(slots=True)
class Runtime:
    """Everything that routers may touch. `site` and `table` are callables, because `shifu apply` replaces both."""

    site: Callable[[], Site]
    table: Callable[[], PointTable]
    alarms: AlarmEngine
    arbiter: ArbiterView
    field: FieldView
    history: HistoryView
    journal: Journal
    identity: Identity
    clock: Clock
    version: str
    set_limits: Callable[[str, Limits, str, str], Awaitable[None]]
    """Persist and apply new limits of a point: (address, limits, owner, reason). Must have effect when it returns."""
    base_limits: Callable[[str], Limits | None] = lambda _: None
    """The limits of the files, below the overlay; None when not known."""
    overview: Callable[[], Sequence[str]] = tuple
    """Addresses of the points of the stream's topic `overview`."""
    ready: Callable[[], Mapping[str, bool]] = _ready
    """Named conditions for /readyz beside the journal, such as {"field started": True}."""
    hub: StreamHub | None = None
    """Set by `create_app`; the cycle publishes into it."""
    metrics: Callable[[], Mapping[str, float]] = dict
    """Further gauges for /metrics, name (snake_case, without prefix) → value."""
