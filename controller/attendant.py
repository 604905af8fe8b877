"""The attendant of the chargers: ends what was declared of a car when its session is over, and keeps when it looked.

Which session is over is the charging strategy's decision; here it is recorded. With the journal down it is tried again:
the strategy follows nothing meanwhile that is of another session.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from controller.errors import UnavailableError
from controller.settings.declaration import SEEN
from controller.settings.overlay import Change, store
from controller.strategy.charging.outlook import Situation
from controller.strategy.charging.strategy import ChargingStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.journal.journal import Journal
    from controller.strategy.engine import StrategyStatus
    from drivers.driver import Clock

__all__ = ["Attendant", "Keeper"]

_PERIOD_S = 1.0
_SEEN_NS = 60_000_000_000
_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who keeps what was declared (`controller.revision`)."""

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the chargers of whose cars something is declared."""

    async def end_declaration(self, charger: str, made_ns: int | None, why: str) -> None:
        """End it; with `made_ns` only what was declared then. Raises UnavailableError."""


class Attendant:
    """One a controller."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[StrategyStatus]],
        revision: Keeper,
        journal: Journal,
        clock: Clock,
    ) -> None:
        """Prepare. `statuses` gives the strategies as they are now."""
        self._statuses, self._revision, self._journal, self._clock = statuses, revision, journal, clock
        self._seen_ns = 0
        self._failing = False

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.look()
                self._failing = False
            except UnavailableError as error:
                if not self._failing:
                    _log.error("what was declared of cars cannot be ended or kept now: %s", error)
                self._failing = True
            await self._clock.sleep(_PERIOD_S)

    async def look(self) -> None:
        """End what is over, and keep that somebody looked.

        Raises:
            UnavailableError: the journal cannot be written.
        """
        declared = self._revision.declared
        if not declared:
            return
        found = [one for one in self._statuses() if isinstance(one.strategy, ChargingStrategy)]
        chargers = {charger.id for one in found for charger in one.strategy.chargers}  # type: ignore[attr-defined]
        for charger in declared:
            if charger not in chargers:
                await self._revision.end_declaration(charger, None, "the charger is not planned any more")
        for status in found:
            situation = status.decision.detail
            if not isinstance(situation, Situation):
                continue  # switched off: nobody looks
            for charger, made_ns in situation.over:
                await self._revision.end_declaration(charger, made_ns, "the session is over")
            if status.time_ns - self._seen_ns >= _SEEN_NS:
                await self._journal.write(store(Change(SEEN, None, "system", "", None, status.time_ns)))
                self._seen_ns = status.time_ns
