"""The shape of drill.toml and drill/*.toml: scenarios of fire drills, as strict models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, StringConstraints

from controller.settings.contact import TargetWord  # noqa: TC001 - pydantic reads the annotations
from controller.settings.file import FloorId, LongNameRow, NameRow, SettingsRow, Word

__all__ = ["AssemblyRow", "DrillFile", "GoalRow", "InjectRow", "ScenarioRow", "StepRow"]

Elapsed = Annotated[str, StringConstraints(pattern=r"^\d{1,3}:[0-5]\d$")]


class InjectRow(SettingsRow):
    """`[[scenario.inject]]`: what the drill tells its participants, and when (狀況發布)."""

    id: Word
    at: Elapsed
    """Minutes and seconds after the start."""
    text: LongNameRow
    team: Literal["", "reporting", "extinguishing", "evacuation", "safety", "first_aid"] = ""
    """The team of the self-defence fire brigade that is to answer."""
    answer_min: Annotated[FiniteFloat, Field(gt=0, le=480)] | None = None
    """Within so many minutes an answer is wanted; without it none is."""
    point: Annotated[str, StringConstraints(max_length=200)] = ""
    """A point for which the drill shows `value` beside the real one."""
    value: FiniteFloat | None = None
    notify: Annotated[list[TargetWord], Field(max_length=20)] = []  # noqa: RUF012 - pydantic copies it
    """Who is told of it by message in a simulated drill, `contact:<id>` or `duty:<id>` of notify.toml; none: nobody."""


class GoalRow(SettingsRow):
    """`[[scenario.goal]]`: what the drill is to reach."""

    id: Word
    kind: Literal["accounted", "swept", "answered"]
    """All people accounted for; every zone walked through; every inject answered in its time."""
    text: LongNameRow
    within_min: Annotated[FiniteFloat, Field(gt=0, le=480)] | None = None
    """Minutes after the start; without it: by the end."""


class StepRow(SettingsRow):
    """`[[scenario.restore]]`: what is checked before normal operation goes on (復原)."""

    id: Word
    text: LongNameRow


class AssemblyRow(SettingsRow):
    """`[[assembly]]`: an assembly point (集合點)."""

    id: Word
    name: NameRow
    floors: Annotated[list[FloorId], Field(max_length=120)] = []  # noqa: RUF012 - pydantic copies it
    """The floors that go there; none: any."""


class ScenarioRow(SettingsRow):
    """`[[scenario]]`: a fire drill as it is written down."""

    id: Word
    name: NameRow
    building: Word
    floor: FloorId
    """Where the fire is played."""
    end_min: Annotated[FiniteFloat, Field(gt=0, le=480)]
    """Minutes after the start at which it ends by itself at the latest."""
    levels: Annotated[list[Literal["table_top", "simulated"]], Field(max_length=2)] = []  # noqa: RUF012
    """How far it may go; none: both."""
    notify: Annotated[list[TargetWord], Field(max_length=20)] = []  # noqa: RUF012
    """Who is told of its start and its end by message, `contact:<id>` or `duty:<id>` of notify.toml."""
    inject: Annotated[list[InjectRow], Field(max_length=200)] = []  # noqa: RUF012
    goal: Annotated[list[GoalRow], Field(max_length=20)] = []  # noqa: RUF012
    restore: Annotated[list[StepRow], Field(max_length=50)] = []  # noqa: RUF012


class DrillFile(SettingsRow):
    """drill.toml and drill/*.toml."""

    assembly: Annotated[list[AssemblyRow], Field(max_length=100)] = []  # noqa: RUF012
    scenario: Annotated[list[ScenarioRow], Field(max_length=100)] = []  # noqa: RUF012
