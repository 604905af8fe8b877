"""What a strategy is: a pure decision from what it sees and what it remembers, with the reason in both languages.

    decision, memory = strategy.decide(view, memory)

It never reads a clock, writes a point or waits. The engine (`controller.strategy.engine`) calls it at its period, gives
it values with their quality, carries out its targets through the arbiter with a lease, and keeps what it said. Work
that takes long (an optimisation) is asked for as a `Job`: the engine has it done in the job process, and its result is
in the view of the next decision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from drivers.reading import Quality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from controller.alarm.definition import AlarmDefinition
    from controller.point.model import Name

__all__ = [
    "Decision",
    "Entry",
    "Figure",
    "Job",
    "JobResult",
    "Mode",
    "Part",
    "Past",
    "Seen",
    "State",
    "Strategy",
    "Target",
    "Usual",
    "View",
]

Mode = Literal["run", "dry_run", "off"]
"""`run` writes, `dry_run` (試跑) decides and says what it would write, `off` (停用) does nothing."""
State = Literal["watching", "acting", "stepped_back"]
"""`watching`: nothing to do. `acting`: it has targets. `stepped_back` (退讓): an input is not to be believed, so every
slot of it is empty and the building runs on what is below, but for targets that are safe without that input."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A point as a strategy sees it."""

    value: float = math.nan
    """In the point's unit; NaN where nothing was ever read."""
    quality: int = int(Quality.BAD_COMM)
    age_s: float = math.inf
    """Since it was read, on the monotonic clock."""

    @property
    def known(self) -> bool:
        """Tell whether it may drive a decision: good, and a number. Stale, uncertain and bad values may not."""
        return self.quality < Quality.UNCERTAIN_STALE and math.isfinite(self.value)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job."""

    value: Any = None
    error: str = ""
    """Why there is no value, in a sentence; empty when there is one."""


class View(Protocol):
    """What a strategy may know at the moment of a decision."""

    @property
    def now_ns(self) -> int:
        """Calendar time, ns since 1970 UTC."""

    @property
    def now(self) -> float:
        """Monotonic seconds: for durations and rates."""

    @property
    def dry(self) -> bool:
        """Whether this is a dry run: nothing that it decides happens."""

    @property
    def result(self) -> JobResult | None:
        """The result of the strategy's last job, once: in the first decision after it came."""

    def see(self, point: str) -> Seen:
        """Return a point with its quality; one that the site has not got is bad."""

    def value(self, point: str) -> float:
        """Return the value of a point that is known, else NaN."""

    def base(self, point: str) -> float:
        """Return what a commandable point would have without this strategy: the weaker slots or its relinquish default.

        NaN where nobody says.
        """

    def usual(self, point: str, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a point usually has so many seconds from now (T,), by its history; NaN where not known."""

    def masked(self, point: str) -> bool:
        """Tell whether a stronger slot than this strategy's holds the point, so that a target would do nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """A value that a point is to have."""

    point: str
    value: float
    why: Name
    """At most 240 characters a language: it becomes the reason of the slot, for the question 'why?'."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A key number of a decision."""

    id: str
    name: Name
    value: float
    """NaN where it is not known."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a strategy deals with one by one: an item of a shed list, a car, a room that asks for cooling."""

    id: str
    name: Name
    state: str
    """A word of the strategy's own, such as `shed`, `ready`, `resting`; screens have it in their language."""
    points: tuple[str, ...] = ()
    note: Name | None = None
    """Why it is in that state."""
    figures: tuple[Figure, ...] = ()
    group: Name | None = None
    """The kind of things that it belongs to, for lists of many; None where there is one kind."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the job process: `work(argument)` in another process, both picklable, `work` a module's function."""

    work: Callable[[Any], Any]
    argument: Any
    limit_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What a strategy wants, and why. In a dry run the same, and nothing is written."""

    state: State
    why: Name
    """One sentence with the numbers that decided."""
    targets: tuple[Target, ...] = ()
    """All points that it wants to hold now; what it held and is not here is released."""
    figures: tuple[Figure, ...] = ()
    parts: tuple[Part, ...] = ()
    trouble: Mapping[str, str] = field(default_factory=dict)
    """By the word of each of the strategy's own alarms: a sentence while it holds, empty while all is well."""
    job: Job | None = None
    """Asked for again at each decision until it is taken: one job of a strategy runs at a time."""
    detail: Any = None
    """A value of the strategy's own for its page, such as a plan; the engine only hands it on."""


@dataclass(frozen=True, slots=True)
class Past:
    """A change of a slot of one of its outputs before the restart, from the journal, oldest first."""

    point: str
    time_ns: int
    value: float | None
    """None: the slot was emptied, by whomever."""


class Usual(Protocol):
    """The usual courses of points, by their history."""

    def kw(self, point: str, now_ns: int, ahead_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a point usually has so many seconds after `now_ns` (T,); NaN where that is not known."""


class Strategy(Protocol):
    """A program. `memory` is its own: a value that `begin` makes and that goes from decision to decision."""

    @property
    def id(self) -> str:
        """Its word in files, addresses and the journal: `demand`, `reset`, `charging`."""

    @property
    def name(self) -> Name:
        """Its name in both languages."""

    @property
    def slot(self) -> int:
        """The slot of its targets: 9 demand limit, 12 strategies, 14 trims."""

    @property
    def period_s(self) -> float:
        """How often it decides."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The points without which it steps back; shown with their quality."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """All points that it may ever set; a target elsewhere is a fault."""

    @property
    def alarms(self) -> tuple[AlarmDefinition, ...]:
        """Its own alarms, `strategy#<id>-<word>`; that of stepping back, `strategy#<id>`, has everyone."""

    def begin(self, view: View, past: Sequence[Past]) -> Any:
        """Return the first memory. `past` is what its slots held since local midnight."""

    def decide(self, view: View, memory: Any) -> tuple[Decision, Any]:
        """Return a decision and what to remember. Pure: the same view and memory give the same decision."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy of the site's configuration and how it is to run."""

    strategy: Strategy
    mode: Mode
