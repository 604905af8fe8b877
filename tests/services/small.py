"""A small site for tests of the whole road: a plant header that takes commands, and meters behind one gateway."""

from __future__ import annotations

_SITE = """
[site]
id = "small"
name = { zh = "小", en = "small" }
timezone = "Asia/Taipei"
[[building]]
id = "cityhall"
name = { zh = "市政大樓", en = "City Hall" }
floors = ["B1"]
[[area]]
id = "plant"
name = { zh = "機房", en = "Plant" }
building = "cityhall"
"""
_EQUIPMENT = """
[[equipment]]
id = "cityhall.plant.header"
class = "plant_header"
name = { zh = "集水管", en = "Header" }
floor = "B1"
area = "plant"
[[equipment]]
id = "cityhall.meter.em{n:03}"
for = { n = "1..METERS" }
class = "meter"
name = { zh = "電表 {n}", en = "Meter {n}" }
floor = "B1"
area = "plant"
"""
_DEVICES = """
[[device]]
id = "header-io"
equipment = "cityhall.plant.header"
profile = "site-standard-plant-header"
endpoint = "tcp://10.20.2.50:502"
unit = 50
period_s = 1
[[device]]
id = "em{n:03}-meter"
for = { n = "1..METERS" }
equipment = "cityhall.meter.em{n:03}"
profile = "eastron-sdm630"
endpoint = "tcp://10.20.3.11:502"
unit = "{n}"
period_s = 1
"""


def small_site(meters: int) -> dict[str, str]:
    """Return the text of each file by its name below the site's folder, without `.toml`."""
    texts = {"site": _SITE, "equipment": _EQUIPMENT, "devices/all": _DEVICES}
    return {name: text.replace("METERS", str(meters)) for name, text in texts.items()}
