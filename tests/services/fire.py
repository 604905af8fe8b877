"""A small house with a fire panel, as texts of a site's folder on top of the minimal one."""

from __future__ import annotations

__all__ = ["DEVICES", "FIRE", "GATE", "PANEL"]

PANEL = """\
[[equipment]]
id = "main.fire.panel"
class = "fire_panel"
name = { zh = "總機", en = "Panel" }
[[equipment]]
id = "main.fire.zone{n:02}"
for = { n = "1..64" }
class = "fire_zone"
name = { zh = "分區 {n}", en = "Zone {n}" }
[[equipment]]
id = "main.fire.floor{n:02}"
for = { n = "1..16" }
class = "fire_floor"
name = { zh = "連動 {n}", en = "Outputs {n}" }
[[equipment]]
id = "main.hvac.ahu1"
class = "ahu"
name = { zh = "空調箱", en = "Air handler" }
floor = "1F"
"""
DEVICES = """\
[[device]]
id = "fire-panel"
equipment = "main.fire.panel"
profile = "site-standard-fire"
endpoint = "tcp://192.0.2.20:502"
parts = { "zone_*" = "main.fire.zone*", "floor_*" = "main.fire.floor*" }
[[device]]
id = "ahu1-unit"
equipment = "main.hvac.ahu1"
profile = "site-standard-ahu"
endpoint = "opc.tcp://192.0.2.21:4840"
options = { node_prefix = "AHU/ahu1", security = "none" }
"""
FIRE = """\
[fire]
panel = "main.fire.panel"
zones = ["main.fire.zone*"]

[[hold]]
id = "air"
points = ["main.hvac.*.*"]

[[effect]]
id = "stopped"
name = { zh = "停止", en = "Stopped" }
points = ["main.hvac.ahu1.fan_run"]
value = 0
within_s = 30

[[cause]]
id = "house"
name = { zh = "全棟", en = "House" }
zones = ["main.fire.zone*"]
floors = ["1F"]
holds = ["air"]
effects = ["stopped"]
"""
GATE = (
    """\
[[device]]
id = "gate1"
equipment = "main.parking.gate1"
profile = "site-standard-gate"
endpoint = "mqtt://192.0.2.23:1883"
options = { site = "main", gate = "gate1" }
""",
    """\
[[equipment]]
id = "main.parking.gate1"
class = "gate"
name = { zh = "柵欄機", en = "Gate" }
""",
)
"""A device on a broker: its row, and its equipment's."""
