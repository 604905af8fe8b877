"""Duty rosters as rows, of notify.toml and of what was changed on screens.

Both are checked by the same `RosterFrame`, so that a screen refuses what a file would be refused for.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from controller.errors import InvalidError
from controller.notify.roster import DAYS, Duty, Hours, Shift, Substitute
from controller.settings.problem import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from controller.notify.plan import NotifyPlan
    from controller.settings.overlay import Change

__all__ = [
    "ROSTER",
    "HoursRow",
    "Issue",
    "RosterFrame",
    "RosterRow",
    "Short",
    "Word",
    "hours_of",
    "lay_rosters",
    "roster_json",
    "roster_key",
]  # fmt: skip

_log = logging.getLogger(__name__)

ROSTER = "roster/"
"""Begin of the overlay's keys: `roster/<duty>`, an object with `shifts` and `substitutes`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=400)
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Short = Annotated[str, StringConstraints(max_length=200)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "workday", "holiday", "every"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class HoursRow(_Row):
    """Days and a time of day; an end that is not after the begin is on the next day."""

    days: Annotated[list[Day], Field(min_length=1, max_length=10)] = ["every"]
    first: Annotated[Clock, Field(alias="from")] = "00:00"
    last: Annotated[Clock, Field(alias="to")] = "00:00"


class ShiftRow(HoursRow):
    """Who is on duty in which hours."""

    contacts: Annotated[list[Word], Field(min_length=1, max_length=20)]


class SubstituteRow(_Row):
    """Who stands in for whom."""

    contact: Word
    by: Word
    first: Annotated[AwareDatetime, Field(alias="from")]
    """With its zone: `2026-12-05T08:00:00+08:00`."""
    last: Annotated[AwareDatetime, Field(alias="to")]
    reason: Short = ""


class RosterRow(_Row):
    """What a screen may change of a duty."""

    shifts: Annotated[list[ShiftRow], Field(max_length=50)] = []
    substitutes: Annotated[list[SubstituteRow], Field(max_length=200)] = []


class Issue(NamedTuple):
    """What is wrong with one key of a row."""

    path: tuple[str | int, ...]
    got: str
    wanted: str
    todo: str = ""


class RosterFrame:
    """What rosters are checked against: the contacts of the site."""

    def __init__(self, contacts: Iterable[str]) -> None:
        """Take the ids of the contacts."""
        self._contacts = list(contacts)

    def read(self, duty: Duty, value: Any) -> Duty:
        """Return a duty with the roster that an object of JSON says.

        Raises:
            InvalidError: it is not usable; the message says what is wanted.
        """
        try:
            row = RosterRow.model_validate_json(json.dumps(value))
        except (ValidationError, TypeError, ValueError) as error:
            raise InvalidError(f"roster of {duty.id}: {_said(error)}") from error
        made, issues = self.duty(duty, row)
        if issues:
            one = issues[0]
            key = ".".join(str(part) for part in one.path)
            raise InvalidError(f"{key}: got {one.got}, wanted {one.wanted}" + (f". {one.todo}" if one.todo else ""))
        return made

    def duty(self, base: Duty, row: RosterRow) -> tuple[Duty, list[Issue]]:
        """Return the duty with the shifts and substitutes of a row, and what is wrong with them."""
        issues: list[Issue] = []
        for at, shift in enumerate(row.shifts):
            issues += self.known(shift.contacts, ("shifts", at, "contacts"))
        for at, one in enumerate(row.substitutes):
            issues += self.known([one.contact], ("substitutes", at, "contact"))
            issues += self.known([one.by], ("substitutes", at, "by"))
            if one.last <= one.first:
                got, wanted = f"{one.last:%Y-%m-%d %H:%M}", f"a time after {one.first:%Y-%m-%d %H:%M}"
                issues.append(Issue(("substitutes", at, "to"), got, wanted))
            elif one.last - one.first > _LONGEST:
                got = f"{(one.last - one.first).days} days"
                issues.append(Issue(("substitutes", at, "to"), got, f"at most {_LONGEST.days}"))
            if one.contact == one.by:
                issues.append(Issue(("substitutes", at, "by"), f'"{one.by}"', "somebody else"))
        shifts = tuple(Shift(hours_of(shift), tuple(shift.contacts)) for shift in row.shifts)
        substitutes = tuple(
            Substitute(one.contact, one.by, _ns(one.first), _ns(one.last), one.reason) for one in row.substitutes
        )
        return replace(base, shifts=shifts, substitutes=substitutes), issues

    def known(self, names: Sequence[str], path: tuple[str | int, ...]) -> list[Issue]:
        """Say which names are no contacts."""
        return [
            Issue(path, f'"{name}"', "a contact of notify.toml", nearest(name, self._contacts))
            for name in names
            if name not in self._contacts
        ]


def roster_key(duty: str) -> str:
    """Return the overlay's key of a duty's roster."""
    return f"{ROSTER}{duty}"


def lay_rosters(base: NotifyPlan, changes: Iterable[Change]) -> NotifyPlan:
    """Return the plan with rosters that were changed on screens.

    A change that does not fit the files any more (its contact is gone) is passed over and logged.
    """
    frame, duties = RosterFrame(base.contacts), dict(base.duties)
    for change in changes:
        name = change.key.removeprefix(ROSTER)
        if not change.key.startswith(ROSTER) or name not in duties:
            continue
        try:
            duties[name] = frame.read(duties[name], change.value)
        except InvalidError as error:
            _log.warning("the roster of %s that %s changed does not fit any more: %s", name, change.who, error)
    return replace(base, duties=duties)


def roster_json(duty: Duty) -> dict[str, Any]:
    """Return the roster of a duty as the overlay and the API have it."""
    return {
        "shifts": [
            {
                "days": list(shift.hours.days),
                "from": _clock(shift.hours.start_min),
                "to": _clock(shift.hours.end_min),
                "contacts": list(shift.contacts),
            }
            for shift in duty.shifts
        ],
        "substitutes": [
            {
                "contact": one.contact,
                "by": one.by,
                "from": _iso(one.start_ns),
                "to": _iso(one.end_ns),
                "reason": one.reason,
            }
            for one in duty.substitutes
        ],
    }


def hours_of(row: HoursRow) -> Hours:
    """Return the hours of a row."""
    return Hours(tuple(day for day in DAYS if day in row.days), _minute(row.first), _minute(row.last))


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000


def _iso(time_ns: int) -> str:
    return f"{_EPOCH + timedelta(seconds=time_ns // 1_000_000_000):%Y-%m-%dT%H:%M:%SZ}"


def _said(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {str(first['msg'])[:200]}"
