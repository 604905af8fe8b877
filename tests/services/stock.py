"""The inventory of a small site for tests of the API: real files, real rules, nothing on a wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.connection import check_devices
from controller.point.registry import Registry
from controller.settings.build import Endpoints
from controller.settings.inventory import Inventory
from controller.settings.load import Files, build, read_files
from controller.settings.problem import SettingsError
from drivers.trial import Exchange, Trial, TrialPoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from controller.clock import VirtualClock
    from controller.settings.overlay import Change
    from drivers.profile import Profile

_SITE = """
[site]
id = "hall"
name = { zh = "廳", en = "Hall" }
[[building]]
id = "hall"
name = { zh = "廳", en = "Hall" }
floors = ["B1", "1F"]
[[area]]
id = "west"
name = { zh = "西區", en = "West" }
building = "hall"
[[area]]
id = "substation"
name = { zh = "變電站", en = "Substation" }
building = "hall"
"""
_EQUIPMENT = """
[[equipment]]
id = "hall.electrical.tx1"
class = "transformer"
name = { zh = "變壓器 1", en = "Transformer 1" }
area = "substation"
[[equipment]]
id = "hall.meter.em{n:03}"
for = { n = "1..3" }
class = "meter"
name = { zh = "電表 EM-{n:03}", en = "Meter EM-{n:03}" }
floor = "1F"
area = "west"
"""
_DEVICES = """
[[device]]
id = "dev-tx1"
equipment = "hall.electrical.tx1"
profile = "tecsystem-nt935"
endpoint = "rtu+tcp://10.0.0.9:4001"
[[device]]
id = "em{n:03}-meter"
for = { n = "1..3" }
equipment = "hall.meter.em{n:03}"
profile = "eastron-sdm630"
endpoint = "tcp://10.0.0.2:502"
unit = "{n}"
[[device]]
id = "north-ahu"
equipment = "hall.meter.em001"
profile = "site-standard-ahu"
endpoint = "opc.tcp://10.0.0.3:4840"
prefix = "ahu_"
options = { node_prefix = "AHU/1", security = "none" }
secrets = { user_env = "NORTH_USER", password_env = "NORTH_PASSWORD" }
"""


@dataclass
class Stock:
    """What `Runtime.inventory`, `amend` and `test_read` are in tests of the API."""

    files: Files
    clock: VirtualClock
    changes: dict[str, Change] = field(default_factory=dict)
    reads: list[tuple[str, str, int, Mapping[str, object], Mapping[str, str]]] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, clock: VirtualClock) -> Stock:
        for name, text in (("site", _SITE), ("equipment", _EQUIPMENT), ("devices", _DEVICES)):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.toml").write_text(text, "utf-8")
        return cls(read_files(folder), clock)

    def inventory(self) -> Inventory:
        return self._made(self.changes)

    def _made(self, changes: dict[str, Change]) -> Inventory:
        environment = {"NORTH_USER": "shifu", "NORTH_PASSWORD": "not shown anywhere"}
        configuration = build(
            self.files,
            Registry(),
            clock=self.clock,
            changes=changes.values(),
            environment=environment,
            check_devices=check_devices,
        )
        return Inventory(self.files, changes, configuration, Endpoints())

    async def amend(self, made: Sequence[Change], ended: Sequence[str]) -> None:
        changes = {key: change for key, change in self.changes.items() if key not in ended}
        changes |= {change.key: change for change in made}
        aside = self._made(changes).configuration.aside
        if aside:
            raise SettingsError([problem for said in aside.values() for problem in said])
        self.changes = changes

    async def test_read(
        self,
        who: str,
        profile: Profile,
        endpoint: str,
        unit: int,
        options: Mapping[str, object],
        secrets: Mapping[str, str],
    ) -> Trial:
        self.reads.append((profile.id, endpoint, unit, options, secrets))
        return Trial((Exchange("FC04 0–1", "01", "02"),), (TrialPoint(0, "4:0–1", "4366 3333", 230.2, 0),))
