"""`/energy`: what the main meter counted today and this month, beside the same span before, and the carbon of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item, NameReply
from controller.api.render import Json, iso, name_json
from controller.api.runtime import Runtime
from controller.energy.carbon import emission, factor_of
from controller.energy.counter import Counted, counted
from controller.energy.figure import factor_figures
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["router"]

router = APIRouter(prefix="/energy", tags=["energy"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_NS = 3_600_000_000_000
_DAY_NS = 24 * _HOUR_NS
_NEAR_NS = _HOUR_NS
"""A reading so long before the span stands for its beginning; an older one would count what was used in the gap."""


class FactorReply(Item):
    """A factor, and the year that it is used for."""

    year: int
    factor_year: int
    kg_per_kwh: float
    source: str
    note: str
    provisional: bool
    """True: the year has none of its own yet."""


class SpanReply(Item):
    """Energy of a span; `kwh` is null where there are not two readings. `since` and `until` are those readings."""

    start: str | None
    end: str | None
    kwh: float | None
    since: str | None
    until: str | None
    complete: bool
    """False: readings are missing at an edge of the span, and the figure is that of `since` to `until`."""
    resets: int


class PeriodReply(SpanReply):
    """A span with its carbon and with the same span before."""

    carbon_kg: float | None
    before: dict[str, SpanReply]
    """`yesterday`, `last_week` (today) or `last_month` (this month)."""


class UseReply(Item):
    """An end use: today's and this month's energy of its meters, and how many of them have readings."""

    id: str
    name: NameReply
    today_kwh: float | None
    month_kwh: float | None
    meters: int
    missing: int
    """Meters without a figure of today."""


_SPAN: dict[str, Any] = {
    "start": "2026-01-01T16:00:00.000Z",
    "end": "2026-01-02T01:00:00.000Z",
    "kwh": 18_250.0,
    "since": "2026-01-01T16:00:00.000Z",
    "until": "2026-01-02T01:00:00.000Z",
    "complete": True,
    "resets": 0,
}


class EnergyReply(Item):
    """Energy and carbon of the site."""

    time: str | None
    meters: list[str]
    """Counters of the main meters."""
    today: PeriodReply
    month: PeriodReply
    uses: list[UseReply]
    factors: list[FactorReply]
    """Those used above, the newest first."""
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "time": "2026-01-02T01:00:00.000Z",
                    "meters": ["cityhall.electrical.main.energy_import"],
                    "today": {**_SPAN, "carbon_kg": 8_522.8, "before": {"yesterday": _SPAN, "last_week": _SPAN}},
                    "month": {**_SPAN, "carbon_kg": 8_522.8, "before": {"last_month": _SPAN}},
                    "uses": [
                        {
                            "id": "cooling",
                            "name": {"zh": "冰水系統", "en": "Chilled water"},
                            "today_kwh": 5_200.0,
                            "month_kwh": None,
                            "meters": 5,
                            "missing": 0,
                        }
                    ],
                    "factors": [
                        {
                            "year": 2026,
                            "factor_year": 2025,
                            "kg_per_kwh": 0.467,
                            "source": "經濟部能源署公告",
                            "note": "",
                            "provisional": True,
                        }
                    ],
                }
            ]
        }
    )


@dataclass(frozen=True, slots=True)
class _Sum:
    """What several counters counted together."""

    kwh: float | None
    since_ns: int
    until_ns: int
    resets: int
    missing: int


def _moment(time_ns: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(zone)


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000


async def _counts(
    runtime: Runtime, numbers: list[int], start_ns: int, end_ns: int, bucket: int = _HOUR_NS
) -> list[Counted]:
    """Return what each counter counted in a span, from the last value of each bucket."""
    if not numbers or end_ns <= start_ns:
        return [Counted(None) for _ in numbers]
    before = await runtime.history.before(numbers, start_ns)
    found = []
    for old, buckets in zip(before, await runtime.history.aggregate(numbers, start_ns, end_ns, bucket), strict=True):
        times = np.minimum(buckets.start_ns + bucket, end_ns)
        values = buckets.last
        if old is not None and start_ns - old[0] <= _NEAR_NS and np.isfinite(old[1]) and old[2] < 128:
            times, values = np.concatenate([[start_ns], times]), np.concatenate([[old[1]], values])
        elif len(values):
            # No reading at the edge: the least value of the first bucket is the counter's first in the span.
            times = np.concatenate([[buckets.start_ns[0]], times])
            values = np.concatenate([[buckets.minimum[0]], values])
        found.append(counted(times, values))
    return found


def _together(counts: list[Counted]) -> _Sum:
    known = [one for one in counts if one.total is not None]
    if not known:
        return _Sum(None, 0, 0, 0, len(counts))
    return _Sum(
        sum(one.total or 0.0 for one in known),
        max(one.since_ns for one in known),
        min(one.until_ns for one in known),
        sum(one.resets for one in known),
        len(counts) - len(known),
    )


def _span(total: _Sum, start_ns: int, end_ns: int) -> dict[str, Any]:
    edge = 2 * _HOUR_NS
    whole = total.kwh is not None and not total.missing
    return {
        "start": iso(start_ns),
        "end": iso(end_ns),
        "kwh": total.kwh,
        "since": iso(total.since_ns),
        "until": iso(total.until_ns),
        "complete": whole and total.since_ns - start_ns <= edge and end_ns - total.until_ns <= edge,
        "resets": total.resets,
    }


@router.get("", response_model=EnergyReply)
async def read_energy(runtime: RuntimeDep, principal: Viewer) -> Json:
    """Return energy and carbon of today and this month. Meters outside of what one may see are left out."""
    plan, site = runtime.energy(), runtime.site()
    zone = ZoneInfo(site.timezone)
    now_ns = runtime.clock.now_ns()
    now = _moment(now_ns, zone)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)

    def numbers(addresses: tuple[str, ...]) -> list[int]:
        points = [site.points[address] for address in addresses if address in site.points]
        return [point.number for point in points if principal.permissions.allows(Action.VIEW, point.area)]

    main = numbers(plan.main)

    async def span(start: datetime, length_ns: int) -> tuple[dict[str, Any], _Sum]:
        start_ns = _ns(start)
        total = _together(await _counts(runtime, main, start_ns, start_ns + length_ns))
        return _span(total, start_ns, start_ns + length_ns), total

    def period(found: tuple[dict[str, Any], _Sum], before: dict[str, Any]) -> dict[str, Any]:
        kwh = found[1].kwh
        carbon = None if kwh is None else emission(plan.factors, {now.year: kwh})
        return {**found[0], "carbon_kg": None if carbon is None else carbon.kg, "before": before}

    today_ns, month_ns = max(1, now_ns - _ns(day)), max(1, now_ns - _ns(month))
    same_month = min(month_ns, _ns(month) - _ns(last_month))
    uses = []
    for use in plan.uses:
        mine = numbers(use.points)
        today = _together(await _counts(runtime, mine, _ns(day), now_ns))
        whole = _together(await _counts(runtime, mine, _ns(month), now_ns, _DAY_NS))
        uses.append(
            {
                "id": use.id,
                "name": name_json(use.name),
                "today_kwh": today.kwh,
                "month_kwh": whole.kwh,
                "meters": len(mine),
                "missing": today.missing,
            }
        )
    used = factor_of(plan.factors, now.year)
    return Json(
        {
            "time": iso(now_ns),
            "meters": [address for address in plan.main if address in site.points],
            "today": period(
                await span(day, today_ns),
                {
                    "yesterday": (await span(day - timedelta(days=1), today_ns))[0],
                    "last_week": (await span(day - timedelta(days=7), today_ns))[0],
                },
            ),
            "month": period(await span(month, month_ns), {"last_month": (await span(last_month, same_month))[0]}),
            "uses": uses,
            "factors": [] if used is None else [factor_figures(used)],
        }
    )
