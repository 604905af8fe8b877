"""What people declared of cars at chargers, in the overlay: `charging/<charger>`, a word of one session.

When somebody last looked at the chargers is kept beside (`charging_seen`), while anything is declared: after a restart
it tells how long a car may have been another.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, get_args

from controller.errors import InvalidError
from controller.strategy.charging.declaration import Declarations, Declared, How, check
from controller.strategy.charging.strategy import ChargingStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.settings.overlay import Change
    from controller.strategy.strategy import Entry

__all__ = ["DECLARED", "SEEN", "declared_key", "declared_row", "lay_declarations"]

DECLARED = "charging/"
SEEN = "charging_seen"
_log = logging.getLogger(__name__)


def declared_key(charger: str) -> str:
    """Return the key of a charger's word in the overlay."""
    return f"{DECLARED}{charger}"


def declared_row(said: Declared) -> dict[str, Any]:
    """Return a word as the overlay keeps it; who, when and why are the change's."""
    return {
        "since_ns": said.since_ns,
        "leaves_ns": said.leaves_ns,
        "kwh": said.kwh,
        "full": said.full,
        "how": said.how,
        "from_ns": said.from_ns,
        "meter_kwh": said.meter_kwh if math.isfinite(said.meter_kwh) else None,
        "car": said.car,
    }


def lay_declarations(base: tuple[Entry, ...], changes: Iterable[Change]) -> tuple[Entry, ...]:
    """Return the strategies with what was declared; the charging strategy alone has a use for it."""
    words: dict[str, Declared] = {}
    seen_ns = 0
    for change in changes:
        if change.key == SEEN:
            seen_ns = change.time_ns
        elif change.key.startswith(DECLARED):
            charger = change.key.removeprefix(DECLARED)
            try:
                words[charger] = _declared(change)
            except (KeyError, TypeError, ValueError, InvalidError) as error:
                _log.warning("what was declared at %s cannot be read (%r) and is not followed", charger, error)
    if not words:
        return base
    said = Declarations(words, seen_ns)
    return tuple(
        replace(entry, strategy=replace(entry.strategy, said=said))
        if isinstance(entry.strategy, ChargingStrategy)
        else entry
        for entry in base
    )


def _declared(change: Change) -> Declared:
    row: Mapping[str, Any] = change.value
    how = str(row["how"])
    if how not in get_args(How):
        raise InvalidError(f"how: got {how!r}")
    said = Declared(
        int(row["since_ns"]),
        _time(row["leaves_ns"]),
        None if row["kwh"] is None else float(row["kwh"]),
        full=row["full"] is True,
        how=cast("How", how),
        from_ns=_time(row["from_ns"]),
        meter_kwh=math.nan if row["meter_kwh"] is None else float(row["meter_kwh"]),
        car=str(row["car"]),
        made_ns=change.time_ns,
        who=change.who,
        why=change.why,
    )
    # As it could be said when it was: a departure that has passed since is past, and no fault.
    check(said, change.time_ns)
    return said


def _time(value: Any) -> int | None:
    return None if value is None else int(value)
