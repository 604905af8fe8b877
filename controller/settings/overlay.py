"""The overlay: what was changed while running, over what the files say. Kept in the state database with who and why.

A key is `limits/<point address>` (a JSON object of `high_high`, `high`, `low`, `low_low`; null takes a limit away).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite import insert

from controller.alarm.definition import LIMIT_KINDS
from controller.journal.schema import overlay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Executable

    from controller.alarm.definition import AlarmDefinition
    from controller.point.model import Limits

__all__ = ["LIMITS", "Change", "apply_limits", "store_limits"]

LIMITS = "limits/"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the overlay."""

    key: str
    value: Any
    who: str = ""
    why: str = ""
    expires_ns: int | None = None


def apply_limits(
    alarms: Mapping[str, AlarmDefinition], changes: Iterable[Change], now_ns: int
) -> dict[str, AlarmDefinition]:
    """Return the alarms with changed limits; a limit set to null removes its alarm. Expired changes do nothing.

    Only alarms that the files define can be changed: priority and texts come from there.
    """
    result = dict(alarms)
    for change in changes:
        if not change.key.startswith(LIMITS) or not isinstance(change.value, dict):
            continue
        if change.expires_ns is not None and change.expires_ns <= now_ns:
            continue
        address = change.key.removeprefix(LIMITS)
        for kind in LIMIT_KINDS:
            identifier = f"{address}#{kind}"
            if kind not in change.value or identifier not in alarms:
                continue
            limit = change.value[kind]
            if limit is None:
                result.pop(identifier, None)
            elif isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit):
                result[identifier] = replace(alarms[identifier], limit=float(limit))
    return result


def store_limits(address: str, limits: Limits, who: str, why: str, now_ns: int) -> Executable:
    """Return the statement that keeps new limits of a point; `version` grows by one, for ETags."""
    value = {
        kind: None if math.isnan(limit) else limit
        for kind, limit in ((kind, getattr(limits, kind)) for kind in LIMIT_KINDS)
    }
    statement = insert(overlay).values(key=LIMITS + address, value=value, who=who, why=why, time_ns=now_ns, version=1)
    return statement.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "value": statement.excluded.value,
            "who": statement.excluded.who,
            "why": statement.excluded.why,
            "time_ns": statement.excluded.time_ns,
            "version": overlay.c.version + 1,
        },
    )
