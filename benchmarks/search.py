"""Time of one search over 10,000 points.

    python -m benchmarks.search

Goal: 50 ms.
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


def main() -> None:
    whole = site()
    print(f"build      {timeit.timeit(lambda: SearchIndex(whole), number=1) * 1e3:8.1f} ms")
    index = SearchIndex(whole)
    for q in ("電流", "總功率 7", "em017", "power", "pow 17", "e", "cpa", "sdm630", "nothing at all"):
        best = min(timeit.repeat(lambda q=q: index.search(q), number=1, repeat=9)) * 1e3  # type: ignore[misc]
        print(f"{q:14s} {best:8.1f} ms   {[hit.address for hit in index.search(q, 2)]}")


if __name__ == "__main__":
    main()
