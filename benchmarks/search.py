"""Time of one search over 10,000 points.

    python benchmarks/search.py

Limits: 50 ms a search, for it is typed letter by letter; 1 s to build the index, in a thread.
"""

from __future__ import annotations

import timeit

from controller.point.model import Equipment, Name, Point, Site
from controller.point.search import SearchIndex

QUANTITIES = (("power", "總功率", "Total power"), ("current_l1", "A 相電流", "Current phase A"))


def site() -> Site:
    equipment, points = {}, {}
    for n in range(200):
        address = f"cityhall.meter.em{n:03}"
        equipment[address] = Equipment(
            address, "meter", Name(f"{n} 號電表", f"Meter {n}"), "cityhall", "meter", maker="Eastron", model="SDM630"
        )
        for k in range(50):
            tag, zh, en = QUANTITIES[k % 2]
            whole = f"{address}.{tag}_{k}"
            points[whole] = Point(n * 50 + k, whole, "analog", "kW", Name(f"{zh} {k}", f"{en} {k}"), address)
    return Site("cityhall", Name("市府", "City Hall"), "Asia/Taipei", 1, {}, {}, equipment, points)


def show(name: str, value: float, unit: str, limit: float) -> None:
    """Print one line of the table."""
    print(f"{name:36s} {value:10.3f} {limit:10.3f} {unit:12s} {'met' if value <= limit else 'OVER'}")


def main() -> None:
    print(f"{'':36s} {'measured':>10s} {'limit':>10s}")
    whole = site()
    show("build the index", timeit.timeit(lambda: SearchIndex(whole), number=1) * 1e3, "ms", 1000.0)
    index = SearchIndex(whole)
    for q in ("電流", "總功率 7", "em017", "power", "pow 17", "e", "cpa", "sdm630", "nothing at all"):
        best = min(timeit.repeat(lambda q=q: index.search(q), number=1, repeat=9)) * 1e3  # type: ignore[misc]
        show(f'"{q}"', best, "ms", 50.0)


if __name__ == "__main__":
    main()
