"""The minimal site with air handlers and a strategy.toml, for controllers whose points are read from the test."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["handled"]

MINIMAL = Path(__file__).parents[2] / "config" / "minimal"
_EQUIPMENT = """
[[equipment]]
id = "main.hvac.ahu{n}"
for = { n = "1..%d" }
class = "ahu"
name = { zh = "{n} 號空調箱", en = "Air handler {n}" }
floor = "1F"
area = "office"
"""
_DEVICES = """
[[device]]
id = "ahu{n}"
for = { n = "1..%d" }
equipment = "main.hvac.ahu{n}"
profile = "site-standard-ahu"
endpoint = "opc.tcp://127.0.0.1:1"
period_s = 20
defaults = %s
options = { node_prefix = "AHU/{n}" }
secrets = { user_env = "A", password_env = "B", certificate_env = "C", private_key_env = "D", ca_env = "E" }
"""


def handled(folder: Path, count: int, strategy: str, defaults: str = "{ zone_temp_sp = 26.0 }") -> None:
    """Write it to `folder/site`; nothing listens where its devices are, and it has no alarms of its own."""
    site = folder / "site"
    shutil.copytree(MINIMAL, site)
    equipment = site / "equipment.toml"
    equipment.write_text(equipment.read_text("utf-8") + _EQUIPMENT % count, "utf-8")
    meter = site / "devices" / "meter.toml"
    meter.write_text(meter.read_text("utf-8").replace("192.0.2.10:502", "127.0.0.1:1"), "utf-8")
    (site / "devices" / "air.toml").write_text(_DEVICES % (count, defaults), "utf-8")
    (site / "strategy.toml").write_text(strategy, "utf-8")
    (site / "alarms.toml").unlink()
