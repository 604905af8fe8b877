"""What a drill plays: a scenario with a timeline of injects, goals, assembly points and what is to be restored.

A drill keeps a copy of its scenario, so that files that change while it runs, or years later, change no record of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.point.model import Name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TEAMS", "Assembly", "Goal", "Inject", "Level", "Scenario", "Step"]

TEAMS = ("reporting", "extinguishing", "evacuation", "safety", "first_aid")
"""自衛消防編組: 通報班, 滅火班, 避難引導班, 安全防護班, 救護班 (消防法施行細則, from 50 staff all five)."""


class Level(StrEnum):
    """How far a drill goes. No level moves equipment."""

    TABLE_TOP = "table_top"
    """Spoken through at a table: the timeline runs, values are not shown on other pages."""
    SIMULATED = "simulated"
    """On screens and phones: drill values are shown beside the real ones, people go to the assembly points."""


@dataclass(frozen=True, slots=True)
class Inject:
    """One thing that the drill tells its participants (狀況發布)."""

    id: str
    after_s: float
    """Seconds after the start."""
    text: Name
    team: str = ""
    """Who is to answer; one of `TEAMS`, or empty."""
    answer_s: float | None = None
    """Within so many seconds after the inject it is to be answered; None: no answer is wanted."""
    point: str = ""
    """Address of a point for which the drill shows a value beside the real one; empty for words alone."""
    value: float | None = None
    notify: tuple[str, ...] = ()
    """Who is told of it by message, as `contact:<id>` or `duty:<id>` of notify.toml; none: screens alone."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the drill is to reach."""

    id: str
    kind: str
    """`accounted`: all people who were in the building are accounted for · `swept`: every zone was walked through ·
    `answered`: every inject that wants an answer has one in its time."""
    text: Name
    within_s: float | None = None
    """Seconds after the start; None: by its end."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """An assembly point (集合點), and the floors that go there; none: any floor."""

    id: str
    name: Name
    floors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is checked before normal operation goes on (復原)."""

    id: str
    text: Name


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drill as it is written down."""

    id: str
    name: Name
    building: str
    floor: str
    """Where the fire is played."""
    end_s: float
    """Seconds after the start at which it ends by itself, when nobody gave an earlier end."""
    levels: tuple[Level, ...] = (Level.TABLE_TOP, Level.SIMULATED)
    injects: tuple[Inject, ...] = ()
    """In the order of their times."""
    goals: tuple[Goal, ...] = ()
    assembly: tuple[Assembly, ...] = ()
    steps: tuple[Step, ...] = ()
    notify: tuple[str, ...] = ()
    """Who is told of the start and the end by message: wardens, officers."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the journal and the API."""
        return asdict(self)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Scenario:
        """Return the scenario that `to_json` wrote."""
        return cls(
            **{
                **data,
                "name": _name(data["name"]),
                "levels": tuple(Level(level) for level in data["levels"]),
                "injects": tuple(
                    Inject(**{**row, "text": _name(row["text"]), "notify": tuple(row.get("notify", ()))})
                    for row in data["injects"]
                ),
                "goals": tuple(Goal(**{**row, "text": _name(row["text"])}) for row in data["goals"]),
                "assembly": tuple(
                    Assembly(row["id"], _name(row["name"]), tuple(row["floors"])) for row in data["assembly"]
                ),
                "steps": tuple(Step(row["id"], _name(row["text"])) for row in data["steps"]),
                "notify": tuple(data.get("notify", ())),
            }
        )


def _name(data: Mapping[str, str]) -> Name:
    return Name(data["zh"], data["en"])
