"""The calendars in effect: looked at once a minute, at every apply and at every change, as the state at that time.

What is out of service goes to the cycle, which masks its points and hides its alarms; what is in use is kept for those
who ask. A start or end that was missed mends itself at the next look.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from controller.errors import ShifuError
from controller.maintenance.works import outages
from controller.schedule.booking import in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.cycle import Cycle
    from controller.maintenance.works import Works
    from controller.schedule.booking import Booking
    from controller.settings.calendar import Calendar
    from drivers.driver import Clock

__all__ = ["Almanac"]

_log = logging.getLogger(__name__)

MINUTE_S = 60.0


class Almanac:
    """One a controller; `run` looks, everything else may be called at any time."""

    def __init__(
        self, calendar: Callable[[], Calendar], cycle: Cycle, clock: Clock, changed: Callable[[], None]
    ) -> None:
        """Prepare; `changed` is called when something went out of service, came back, or came into or out of use."""
        self._calendar = calendar
        self._cycle = cycle
        self._clock = clock
        self._changed = changed
        self.outages: Mapping[str, Works] = {}
        """Equipment out of service by its address, with the works that keep it so."""
        self.in_use: Mapping[str, Booking] = {}
        """Equipment in use by its address, with the booking."""

    def look(self) -> None:
        """Work out what holds now and put it into effect."""
        now_ns, calendar = self._clock.now_ns(), self._calendar()
        out = outages(calendar.works, now_ns)
        used = in_use(calendar.all_bookings(now_ns, now_ns + 1), calendar.venues.values(), now_ns)
        before = (self.outages, self.in_use)
        self.outages, self.in_use = out, used
        self._cycle.take_out({address: works.id for address, works in out.items()})
        if before != (out, used):
            self._say(before[0], out)
            self._changed()

    @staticmethod
    def _say(before: Mapping[str, Works], now: Mapping[str, Works]) -> None:
        gone, back = now.keys() - before.keys(), before.keys() - now.keys()
        for works in sorted({now[address].id for address in gone}):
            count = sum(now[address].id == works for address in gone)
            _log.info("work order %s: %d pieces of equipment are out of service", works, count)
        for works in sorted({before[address].id for address in back}):
            count = sum(before[address].id == works for address in back)
            _log.info("work order %s: %d pieces of equipment are back in service", works, count)

    async def run(self) -> None:
        """Look at the beginning of every minute, until cancelled."""
        while True:
            await self._clock.sleep(MINUTE_S - self._clock.now_ns() / 1e9 % MINUTE_S + 0.01)
            try:
                self.look()
            except ShifuError as error:
                _log.error("the calendars could not be put into effect: %s", error)
