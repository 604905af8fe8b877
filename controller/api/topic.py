"""Topics of values: which points are in `overview`, `system:plant`, `floor:main/3F`, `equipment:…` or `point:…`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from controller.point.model import Site

__all__ = ["members"]


def members(
    topic: str, areas: frozenset[str] | None, site: Site, overview: Callable[[], Sequence[str]], limit: int
) -> NDArray[np.int32]:
    """Return the numbers of a topic's points, sorted, below `limit`; none where the topic is unknown.

    Points outside of `areas` are left out (None: all are seen). `overview` gives the addresses of that topic.
    """
    kind, _, name = topic.partition(":")
    wanted: Iterable[Any]
    if topic == "overview":
        wanted = (site.points[address] for address in overview() if address in site.points)
    elif kind == "system" and name:
        # `system:meter/power,energy_import`: of a large system only the points with these last words.
        name, _, tags = name.partition("/")
        last = frozenset(tags.split(",")) if tags else None
        inside = {entry.address for entry in site.equipment.values() if entry.system == name}
        wanted = (
            point
            for point in site.points.values()
            if point.equipment in inside and (last is None or point.address.rsplit(".", 1)[1] in last)
        )
    elif kind == "floor" and name:
        building, _, floor = name.partition("/")
        here = {e.address for e in site.equipment.values() if (e.building, e.floor) == (building, floor)}
        wanted = (point for point in site.points.values() if point.equipment in here)
    elif kind == "equipment" and name:
        wanted = site.of_equipment(name)
    elif kind == "point" and name in site.points:
        wanted = (site.points[name],)
    else:
        wanted = ()
    numbers = [point.number for point in wanted if areas is None or (point.area and point.area in areas)]
    return np.array(sorted({number for number in numbers if 0 <= number < limit}), np.int32)
