"""Plane geometry of zones: inside, overlap, and a grid of places inside.

A polygon is a list of vertices in the order of its outline, not closed, either way round. Lengths are in units of the
plan. Zones that touch, or overlap by no more than `TOLERANCE`, do not count as overlapping: they are drawn by hand.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TOLERANCE", "Vertex", "area", "contains", "interior", "is_simple", "overlap", "spread"]

Vertex = tuple[float, float]
TOLERANCE = 0.5
_LABEL = 1.8
"""A cell of the grid is wider than high, as the label that stands in it is."""
_LEAST_CELL = 4.0


def area(polygon: Sequence[Vertex]) -> float:
    """Return the area, by the shoelace formula."""
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in _edges(polygon))) / 2


def is_simple(polygon: Sequence[Vertex]) -> bool:
    """Tell whether the outline never meets itself but where one edge ends and the next begins."""
    edges = list(_edges(polygon))
    last = len(edges) - 1
    for i, (a, b) in enumerate(edges):
        if math.dist(a, b) == 0:
            return False
        for j in range(i + 1, len(edges)):
            neighbours = j == i + 1 or (i == 0 and j == last)
            shared = (b if j == i + 1 else a) if neighbours else None
            cuts = [t for t in _cuts(a, b, *edges[j]) if shared is None or math.dist(_at(a, b, t), shared) > 1e-9]
            if cuts:
                return False
    return True


def contains(polygon: Sequence[Vertex], x: float, y: float, margin: float = TOLERANCE) -> bool:
    """Tell whether a point lies inside, farther than `margin` from the outline (a negative one: or near it)."""
    inside = False
    nearest = math.inf
    for (ax, ay), (bx, by) in _edges(polygon):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            inside = not inside
        nearest = min(nearest, _distance(x, y, ax, ay, bx, by))
    return (nearest if inside else -nearest) > margin


def overlap(a: Sequence[Vertex], b: Sequence[Vertex]) -> bool:
    """Tell whether two simple polygons share more than their outlines.

    If their insides meet, then a part of one outline lies inside the other, or they are the same. The outlines are cut
    where they meet, so that one look at the middle of each part is enough.
    """
    if not _boxes_meet(a, b):
        return False
    for one, other in ((a, b), (b, a)):
        for start, end in _edges(one):
            cuts = sorted({0.0, 1.0, *(t for edge in _edges(other) for t in _cuts(start, end, *edge))})
            if any(contains(other, *_at(start, end, (t + u) / 2)) for t, u in pairwise(cuts)):
                return True
        if contains(other, *interior(one)):
            return True
    return False


def interior(polygon: Sequence[Vertex]) -> Vertex:
    """Return a point well inside: the middle of the roomiest of the lines between the heights of the vertices."""
    heights = sorted({y for _, y in polygon})
    best: tuple[float, Vertex] = (-1.0, polygon[0])
    for low, high in pairwise(heights):
        y = (low + high) / 2
        meets = sorted(ax + (y - ay) * (bx - ax) / (by - ay) for (ax, ay), (bx, by) in _edges(polygon)
                       if (ay > y) != (by > y))  # fmt: skip
        for left, right in zip(meets[::2], meets[1::2], strict=True):
            best = max(best, (min(right - left, high - low), ((left + right) / 2, y)))
    return best[1]


def spread(polygon: Sequence[Vertex], count: int, taken: Sequence[Vertex] = ()) -> list[Vertex]:
    """Return `count` places inside, on a grid as wide as it can be, row by row, keeping off the `taken` ones.

    Where there are far too many for the room the last ones stand on one another; nothing is ever left out.
    """
    if count <= 0:
        return []
    left, top, right, bottom = _box(polygon)
    height = min(math.sqrt(area(polygon) / count / _LABEL), (bottom - top))
    while height >= _LEAST_CELL:
        width = height * _LABEL
        columns, rows = max(1, int((right - left) / width)), max(1, int((bottom - top) / height))
        x0, y0 = left + (right - left - columns * width) / 2, top + (bottom - top - rows * height) / 2
        cells = [(x0 + (i + 0.5) * width, y0 + (j + 0.5) * height) for j in range(rows) for i in range(columns)]
        free = [
            cell
            for cell in cells
            if contains(polygon, *cell, margin=height / 3)
            and all(abs(cell[0] - x) > width * 0.7 or abs(cell[1] - y) > height * 0.7 for x, y in taken)
        ]
        if len(free) >= count:
            return free[:count]
        height *= 0.94
    return [interior(polygon)] * count


def _edges(polygon: Sequence[Vertex]) -> Iterator[tuple[Vertex, Vertex]]:
    yield from pairwise(polygon)
    yield polygon[-1], polygon[0]


def _at(a: Vertex, b: Vertex, t: float) -> Vertex:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _cuts(a: Vertex, b: Vertex, c: Vertex, d: Vertex) -> list[float]:
    """Return where the segment a–b meets c–d, as parts of its length: nothing, one place, or both ends of a stretch."""
    ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    wx, wy = c[0] - a[0], c[1] - a[1]
    cross = ux * vy - uy * vx
    length = ux * ux + uy * uy
    if abs(cross) > 1e-12 * math.sqrt(length * (vx * vx + vy * vy)):
        t, s = (wx * vy - wy * vx) / cross, (wx * uy - wy * ux) / cross
        return [min(1.0, max(0.0, t))] if -1e-9 <= t <= 1 + 1e-9 and -1e-9 <= s <= 1 + 1e-9 else []
    if length == 0 or abs(wx * uy - wy * ux) > 1e-9 * length:
        return []  # parallel, apart
    ends = [((px - a[0]) * ux + (py - a[1]) * uy) / length for px, py in (c, d)]
    low, high = max(0.0, min(ends)), min(1.0, max(ends))
    return [low, high] if low <= high else []


def _distance(x: float, y: float, ax: float, ay: float, bx: float, by: float) -> float:
    ux, uy = bx - ax, by - ay
    length = ux * ux + uy * uy
    t = min(1.0, max(0.0, ((x - ax) * ux + (y - ay) * uy) / length)) if length else 0.0
    return math.hypot(x - ax - t * ux, y - ay - t * uy)


def _box(polygon: Sequence[Vertex]) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def _boxes_meet(a: Sequence[Vertex], b: Sequence[Vertex]) -> bool:
    (al, at, ar, ab), (bl, bt, br, bb) = _box(a), _box(b)
    return al < br and bl < ar and at < bb and bt < ab
