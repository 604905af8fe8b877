"""The schedule engine: keeps slot 15 of each scheduled point as the timetable wants it at this time.

It looks at the beginning of every minute, at every change, each second while machines start one after the other, and
every two while devices are still to be tried.
Each look works out the whole state anew and asks the arbiter for it with a lease: what has its value already is only
renewed, a missed edge mends itself, and when nobody looks any more the slots empty by themselves. It asks nothing of
equipment that works have taken out of service, nor of devices that have not been tried yet since the start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import ShifuError
from controller.point.model import Name
from controller.point.reason import both

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from controller.command.arbiter import Arbiter
    from controller.point.model import Site
    from controller.schedule.schedule import Schedule
    from controller.schedule.timetable import State, Timetable, Use
    from drivers.driver import Clock

__all__ = ["LEASE_S", "OWNER", "SLOT", "ScheduleEngine", "Wish"]

_log = logging.getLogger(__name__)

SLOT = 15
OWNER = "schedule"
LEASE_S = 180.0
"""Three looks: a schedule that nobody looks after any more has let go of the building after this time."""
_MINUTE_S = 60.0
_STAGGER_S = 1.0
_START_S = 2.0
"""How often it looks while devices have not been tried yet."""
_REACH_NS = 13 * 3_600_000_000_000
"""Bookings this far before and after now can matter: the longest lead or lag is twelve hours."""
_CAUSES = {
    "pattern": ("平日時段", "weekly pattern"),
    "default": ("時段以外", "outside of its hours"),
    "exception": ("例外", "exception"),
    "booking": ("場地租借", "venue hire"),
    "holiday": ("假日", "holiday"),
    "makeup": ("補班日", "make-up workday"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a schedule wants of one point now."""

    schedule: str
    equipment: str
    value: float
    state: State


class ScheduleEngine:
    """One a controller; `run` looks, `look` may be called at any time on the event loop."""

    def __init__(
        self,
        *,
        timetable: Callable[[], Timetable],
        used: Callable[[int, int], Sequence[Use]],
        site: Callable[[], Site],
        arbiter: Arbiter,
        out: Callable[[], Container[str]],
        ready: Callable[[str], bool],
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """Prepare.

        `used` returns the bookings between two times, ns UTC, with their equipment; `out` the equipment out of service;
        `ready` tells whether a device (by id) has been tried since the start; `changed` is called when a schedule wants
        something else than before.
        """
        self._timetable = timetable
        self._used = used
        self._site = site
        self._arbiter = arbiter
        self._out = out
        self._ready = ready
        self._clock = clock
        self._changed = changed
        self._uses: Sequence[Use] = ()
        self._held: set[str] = set()
        self._staggering = False
        self._waiting = False
        self.wishes: Mapping[str, Wish] = {}
        """By address of the point."""
        self.faults = 0
        """Looks that failed."""
        self.refused: dict[str, str] = {}
        """Points whose slot could not be set at the last look, and why."""

    def look(self, *, again: bool = False) -> None:
        """Work out what every schedule wants now, and ask the arbiter for it. A fault costs this look alone.

        `again` takes the bookings of the look before, for one that follows within the minute: repetitions of an
        iCalendar file take milliseconds to work out.
        """
        starting = self._staggering
        before = (self.wishes, dict(self.refused), len(self._held))
        try:
            now_ns = self._clock.now_ns()
            if not again:
                self._uses = self._used(now_ns - _REACH_NS, now_ns + _REACH_NS)
            self._look(now_ns)
        except Exception:  # noqa: BLE001 - logged and survived: the next look works all out anew
            self.faults += 1
            _log.exception("the schedules could not be looked at (fault %d); their leases run", self.faults)
        # Machines that start one after the other are told of at the first and at the last.
        if before != (self.wishes, self.refused, len(self._held)) and not (starting and self._staggering):
            self._changed()

    def _look(self, now_ns: int) -> None:
        wishes, before = self._work_out(now_ns), self.refused
        self.wishes, self.refused = wishes, {}
        self._waiting = False
        for address in sorted(self._held - wishes.keys()):
            self._release(address)
        for address, wish in wishes.items():
            self._fill(address, wish)
        self._say(before)

    def _work_out(self, now_ns: int) -> dict[str, Wish]:
        timetable, points, out = self._timetable(), self._site().points, self._out()
        wishes: dict[str, Wish] = {}
        self._staggering = False
        for schedule in timetable.schedules.values():
            for place, equipment in enumerate(schedule.equipment):
                if equipment in out:
                    continue
                state = timetable.state(schedule, now_ns, equipment, self._uses)
                late_ns = round(place * schedule.stagger_s * 1e9)
                if late_ns:
                    nominal, state = state, timetable.state(schedule, now_ns - late_ns, equipment, self._uses)
                    self._staggering |= state.mode != nominal.mode
                mode = schedule.mode(state.mode)
                for tag, value in mode.values.items() if mode else ():
                    address = f"{equipment}.{tag}"
                    if address in points:
                        wishes[address] = Wish(schedule.id, equipment, value, state)
        return wishes

    def _fill(self, address: str, wish: Wish) -> None:
        if not self._ready(self._site().points[address].device):
            self._waiting = True
            return
        schedule = self._timetable().schedules[wish.schedule]
        try:
            self._arbiter.request(address, SLOT, wish.value, OWNER, _reason(schedule, wish.state), lease_s=LEASE_S)
        except ShifuError as error:
            self.refused[address] = str(error)
            return
        self._held.add(address)

    def _say(self, before: Mapping[str, str]) -> None:
        """Log once what cannot be set any more, and once that it can be again; a fire takes many points at once."""
        lost = sorted(self.refused.keys() - before.keys())
        if lost:
            _log.warning("schedules cannot set %d points, such as %s: %s", len(lost), lost[0], self.refused[lost[0]])
        back = before.keys() & self.wishes.keys() - self.refused.keys()
        if back:
            _log.info("schedules set %d points again", len(back))

    def _release(self, address: str) -> None:
        """Let go of a point that no schedule wants anything of; a slot that somebody else filled is his."""
        self._held.discard(address)
        if address not in self._site().points:
            return
        try:
            slot = self._arbiter.slots(address)[SLOT - 1]
            if slot is not None and slot.owner == OWNER:
                self._arbiter.request(address, SLOT, None, OWNER, "no schedule wants anything of it any more")
        except ShifuError as error:
            # Its lease ends it all the same.
            _log.warning("schedules cannot release %s: %s", address, error)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            pause_s = _MINUTE_S - self._clock.now_ns() / 1e9 % _MINUTE_S + 0.01
            soon_s = _STAGGER_S if self._staggering else _START_S if self._waiting else pause_s
            await self._clock.sleep(min(pause_s, soon_s))
            self.look(again=soon_s < pause_s)


def _reason(schedule: Schedule, state: State) -> str:
    """Return why, in both languages, for the priority array and the journal."""
    mode = schedule.modes[state.mode]
    zh, en = _CAUSES.get(state.cause.kind, ("", state.cause.kind))
    name = state.cause.name
    if name.zh:
        zh, en = f"{zh} {name.zh}", f"{en} {name.en}"
    return both(Name(f"{schedule.name.zh}：{mode.name.zh}（{zh}）", f"{schedule.name.en}: {mode.name.en} ({en})"))
