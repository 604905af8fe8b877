"""What people said about cars at chargers: kept while the session lasts that it was said of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.errors import InvalidError

if TYPE_CHECKING:
    from controller.strategy.charging.session import Declared

__all__ = ["Declarations"]

_MOST_H = 14 * 24.0
_MOST_KWH = 200.0


@dataclass(slots=True)
class Declarations:
    """One word a charger at the most. In memory: a controller that starts anew asks nobody, and assumes."""

    by_charger: dict[str, Declared] = field(default_factory=dict)

    def of(self, charger: str) -> Declared | None:
        """Return what was said of the car at a charger; it may be of a session that is over."""
        return self.by_charger.get(charger)

    def say(self, charger: str, said: Declared, now_ns: int) -> None:
        """Keep it, in place of what was said before.

        Raises:
            InvalidError: a departure that is past or more than two weeks away, or an energy that no car takes.
        """
        if said.leaves_ns is not None and not 0 < said.leaves_ns - now_ns <= _MOST_H * 3.6e12:
            raise InvalidError("departure: it is past, or more than 14 days away; give a time to come")
        if said.kwh is not None and not 0.0 <= said.kwh <= _MOST_KWH:
            raise InvalidError(f"kwh: got {said.kwh:g}, wanted 0 to {_MOST_KWH:g}")
        self.by_charger[charger] = said

    def forget(self, charger: str) -> None:
        """Go back to what is assumed."""
        self.by_charger.pop(charger, None)
