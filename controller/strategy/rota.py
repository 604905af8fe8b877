"""Whose turn it is among what demand limiting sheds by plan: teams of items that begin together, and how many may.

A team is an item of a planned group and the item of the same equipment in the group beside it: a room's set-point and
its air handler's fan. Pure functions over what the strategy remembers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from controller.strategy.foresight import BIN_S, BINS, Kind, effect_kw
from controller.strategy.shed import answer, starts_today, tired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.strategy.foresight import Begun
    from controller.strategy.shed import Hold, Item, Spell, Verdict

__all__ = ["Rota", "Team", "begun_kw", "free", "kinds", "known_kw", "rota", "teams"]

_HOUR_S = 3600.0


class Team(NamedTuple):
    """Items that begin together; the first one is of the planned group."""

    items: tuple[Item, ...]


class Rota(NamedTuple):
    """Everything that says whether a team may begin."""

    verdicts: Mapping[str, Verdict]
    spells: Mapping[str, tuple[Spell, ...]]
    """By equipment."""
    holds: Mapping[str, Hold]
    ended: Mapping[str, float]
    now: float
    day: int


def rota(items: Sequence[Item]) -> dict[str, tuple[Team, ...]]:
    """Return the teams of each planned group."""
    beside = {(item.group.id, item.equipment): item for item in items}
    found: dict[str, list[Team]] = {}
    for item in items:
        if item.group.answer:
            other = beside.get((item.group.beside, item.equipment))
            found.setdefault(item.group.id, []).append(Team((item,) if other is None else (item, other)))
    return {group: tuple(row) for group, row in found.items()}


def teams(row: Iterable[Team], look: Rota) -> list[Team]:
    """Return the teams that may begin now, whose turn it is first."""
    return sorted((team for team in row if _may(team, look)), key=lambda team: _turn(team, look))


def kinds(row: Mapping[str, tuple[Team, ...]], begun: Sequence[Begun], look: Rota, *, full: bool) -> tuple[Kind, ...]:
    """Return how many of each planned group may begin, now and later; `full`: the machines do all they can."""
    return tuple(_kind(group, found, begun, look, full=full) for group, found in row.items())


def free(kind: Kind, wanted: int) -> int:
    """Return how many to begin of those that a plan of a moment ago wants."""
    return min(kind.free, wanted)


def begun_kw(
    row: Mapping[str, tuple[Team, ...]], begun: Sequence[Begun], now: float, from_s: float, until_s: float
) -> float:
    """Return the mean kW that planned sheds give between two moments, s from now."""
    return sum(
        one.count
        * effect_kw(
            answer(row[one.group][0].items[0].group, full=one.full), now + from_s - one.at, now + until_s - one.at
        )
        for one in begun
        if one.group in row
    )


def known_kw(row: Mapping[str, tuple[Team, ...]], begun: Sequence[Begun], now: float) -> tuple[float, ...]:
    """Return the same for each step of a plan that is made now."""
    return tuple(begun_kw(row, begun, now, k * BIN_S, (k + 1) * BIN_S) for k in range(BINS))


def _may(team: Team, look: Rota) -> bool:
    return all(
        look.verdicts[item.point].may_begin
        and item.point not in look.holds
        and not tired(
            item,
            look.spells.get(item.equipment, ()),
            look.ended.get(item.point, -math.inf),
            look.now,
            look.day,
        )
        for item in team.items
    )


def _turn(team: Team, look: Rota) -> tuple[float, float, str]:
    """Rooms with most comfort to spare first, in half kelvins, among them who was not shed for longest."""
    first = team.items[0]
    spare = min(look.verdicts[item.point].margin_k for item in team.items)
    return (-math.floor(min(spare, 9.0) * 2.0), look.ended.get(first.point, -math.inf), first.point)


def _kind(group: str, row: tuple[Team, ...], begun: Sequence[Begun], look: Rota, *, full: bool) -> Kind:
    first = row[0].items[0].group
    able = [team for team in row if all(look.verdicts[item.point].may_stay for item in team.items)]
    ages = tuple(
        look.now - one.at
        for one in begun
        if one.group == group and look.now - one.at < _HOUR_S
        for _ in range(one.count)
    )
    left = sum(
        max(0, first.times_per_day - starts_today(look.spells.get(team.items[0].equipment, ()), look.day))
        for team in able
    )
    return Kind(group, answer(first, full=full), len(teams(row, look)), len(able), left, ages)
