"""Weather of Taipei from a seed, as a pure function of time: any step, any start, the same sky.

Monthly climate: Central Weather Administration normals 1981-2010 (mean, humidity, sunshine) and 1991-2020 (daily
extremes). Daily course: ASHRAE daily-range fractions. Clear sky: Haurwitz 1945; diffuse share: Erbs 1982.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from simulators.plant.air import PRESSURE_KPA, dew_point, wet_bulb

__all__ = ["Outdoor", "Weather", "stream"]

_MAXIMUM = (19.6, 20.7, 22.9, 26.7, 30.1, 32.9, 35.0, 34.4, 31.6, 27.8, 24.9, 21.1)
# January 1991-2020 is published as 13.0, which looks low; 1981-2010 has 13.9.
_MINIMUM = (13.9, 14.7, 16.2, 19.4, 22.8, 25.3, 26.8, 26.6, 25.2, 22.6, 19.8, 16.1)
_MEAN = (16.1, 16.5, 18.5, 21.9, 25.2, 27.7, 29.6, 29.2, 27.4, 24.5, 21.5, 17.9)
_HUMIDITY = (78.5, 80.6, 79.5, 77.8, 76.6, 77.3, 73.0, 74.1, 75.8, 75.3, 75.4, 75.4)
_SUN_HOURS = (80.6, 71.3, 89.6, 92.6, 113.7, 121.7, 179.0, 188.9, 153.7, 124.0, 99.4, 90.7)
_SIGMA = (3.0, 3.2, 3.3, 2.9, 2.3, 1.8, 1.2, 1.1, 1.6, 1.9, 2.5, 2.9)
# Share of the daily range below the maximum, hours 1 to 24.
_FRACTION = (0.88, 0.92, 0.95, 0.98, 1.0, 0.98, 0.91, 0.74, 0.55, 0.38, 0.23, 0.13,
             0.05, 0.0, 0.0, 0.06, 0.14, 0.24, 0.39, 0.50, 0.59, 0.68, 0.75, 0.82)  # fmt: skip
_EPOCH = date(1970, 1, 1).toordinal()
_MEMORY_DAYS = 16
_KNOTS = 145


def stream(seed: int, purpose: str, *more: int) -> Generator:
    """Return the generator of one purpose, so that a new purpose changes no other's numbers."""
    return Generator(PCG64(SeedSequence([seed, zlib.crc32(purpose.encode()), *more])))


@dataclass(frozen=True, slots=True)
class Outdoor:
    """The air and the sun outside at one moment."""

    temperature: float
    """°C"""
    humidity: float
    """Relative humidity, %."""
    ratio: float
    """Humidity ratio, kg/kg."""
    wet_bulb: float
    """°C"""
    sun: float
    """Global horizontal radiation, W/m²."""
    walls: tuple[float, float, float, float]
    """Radiation on vertical walls facing north, east, south, west, W/m²."""
    wind: float
    """m/s"""
    pressure: float
    """hPa"""
    co2: float
    """ppm"""
    pm25: float
    """µg/m³"""


@dataclass(frozen=True, slots=True)
class _Day:
    mean: float
    span: float
    dew: float
    sunshine: float
    wind: float
    pressure: float
    pm25: float
    cloud: tuple[float, ...]


class Weather:
    """The weather of one seed."""

    def __init__(self, seed: int, latitude: float = 25.04, longitude: float = 121.56) -> None:
        """`seed` gives all randomness; one stream of numbers a purpose and day."""
        self._seed = seed
        self._sine, self._cosine = math.sin(math.radians(latitude)), math.cos(math.radians(latitude))
        self._longitude = longitude
        self._day = lru_cache(maxsize=16)(self._make_day)

    def at(self, time_ns: int, day: int, hour: float) -> Outdoor:
        """Return the weather at `time_ns`, whose local day (since 1970) and hour the caller knows already."""
        today = self._day(day)
        temperature = self._temperature(day, hour)
        tomorrow = self._day(day + 1)
        share = hour / 24.0
        dew = min(today.dew + (tomorrow.dew - today.dew) * share, temperature - 0.2)
        vapour = 0.61094 * math.exp(17.625 * dew / (dew + 243.04))
        saturated = 0.61094 * math.exp(17.625 * temperature / (temperature + 243.04))
        ratio = 0.622 * vapour / (PRESSURE_KPA - vapour)
        sun, walls = self._sun(time_ns, day, hour, today)
        return Outdoor(
            temperature=temperature,
            humidity=100.0 * vapour / saturated,
            ratio=ratio,
            wet_bulb=wet_bulb(temperature, ratio),
            sun=sun,
            walls=walls,
            wind=(today.wind + (tomorrow.wind - today.wind) * share) * (0.8 + 0.4 * math.sin(math.pi * share) ** 2),
            pressure=today.pressure + (tomorrow.pressure - today.pressure) * share + math.sin(4 * math.pi * share),
            co2=425.0 + 12.0 * math.cos(2.0 * math.pi * (hour - 8.0) / 24.0),
            pm25=today.pm25 + (tomorrow.pm25 - today.pm25) * share,
        )

    def _temperature(self, day: int, hour: float) -> float:
        whole = int(hour)
        before = self._hourly(day, whole)
        return before + (self._hourly(day, whole + 1) - before) * (hour - whole)

    def _hourly(self, day: int, hour: int) -> float:
        if hour == 0:
            day, hour = day - 1, 24
        today = self._day(day)
        return today.mean + (0.536 - _FRACTION[hour - 1]) * today.span

    def _make_day(self, day: int) -> _Day:
        when = date.fromordinal(_EPOCH + day)
        # The anomaly remembers 0.7 of the day before; sixteen days back its weight is 0.3 %.
        shocks = [
            float(stream(self._seed, "temperature", max(0, day - back)).standard_normal())
            for back in range(_MEMORY_DAYS)
        ]
        scale = math.sqrt(1.0 - 0.49)
        anomaly = scale * sum(0.7**back * shock for back, shock in enumerate(shocks))
        mean = _monthly(_MEAN, when) + anomaly * _monthly(_SIGMA, when)
        length = self._day_length(when)
        usual = _monthly(_SUN_HOURS, when) / 30.4 / length
        warm = max(0.0, math.sin(2.0 * math.pi * (when.timetuple().tm_yday - 100) / 365.0))
        wanted = min(0.97, max(0.03, usual + 0.3 * warm * 0.25 * anomaly))
        draw = stream(self._seed, "sun", day)
        sunshine = float(draw.beta(2.0 * wanted, 2.0 * (1.0 - wanted)))
        span = _monthly(_MAXIMUM, when) - _monthly(_MINIMUM, when)
        span = min(14.0, max(3.0, span * (0.5 + 0.5 * sunshine / usual)))
        dew = dew_point(mean, _monthly(_HUMIDITY, when)) + float(stream(self._seed, "dew", day).standard_normal())
        air = stream(self._seed, "air", day)
        noise, cloud = 0.0, []
        for shock in draw.standard_normal(_KNOTS).tolist():
            noise = 0.85 * noise + 0.527 * shock
            cloud.append(noise)
        return _Day(
            mean=mean,
            span=span,
            dew=min(dew, mean - 0.464 * span - 0.2),
            sunshine=sunshine,
            wind=float(air.gamma(3.0, 0.9)),
            pressure=1013.0 - 0.45 * (mean - 23.0) + float(air.normal(0.0, 2.0)),
            pm25=float(np.exp(air.normal(math.log(13.0), 0.4))),
            cloud=tuple(cloud),
        )

    def _day_length(self, when: date) -> float:
        declination = _declination(when.timetuple().tm_yday)
        cosine = -self._sine / self._cosine * math.tan(declination)
        return 24.0 / math.pi * math.acos(min(1.0, max(-1.0, cosine)))

    def _sun(self, time_ns: int, day: int, hour: float, today: _Day) -> tuple[float, tuple[float, float, float, float]]:
        number = date.fromordinal(_EPOCH + day).timetuple().tm_yday
        declination = _declination(number)
        solar_hour = (time_ns / 3.6e12 + self._longitude / 15.0) % 24.0
        omega = math.radians(15.0 * (solar_hour - 12.0))
        cosine = self._sine * math.sin(declination) + self._cosine * math.cos(declination) * math.cos(omega)
        if cosine <= 0.01:
            return 0.0, (0.0, 0.0, 0.0, 0.0)
        clear = 1098.0 * cosine * math.exp(-0.057 / cosine)
        place = hour * (_KNOTS - 1) / 24.0
        knot = int(place)
        noise = today.cloud[knot] + (today.cloud[knot + 1] - today.cloud[knot]) * (place - knot)
        factor = (0.25 + 0.5 * today.sunshine) / 0.75
        sun = clear * min(1.05, max(0.08, factor * (1.0 + 0.25 * noise)))
        extraterrestrial = 1367.0 * (1.0 + 0.033 * math.cos(2.0 * math.pi * number / 365.0)) * cosine
        diffuse = sun * diffuse_share(sun / extraterrestrial)
        beam = (sun - diffuse) / max(cosine, 0.08)
        flat = 0.5 * diffuse + 0.1 * sun
        east = -math.cos(declination) * math.sin(omega)
        south = self._sine * math.cos(declination) * math.cos(omega) - self._cosine * math.sin(declination)
        return sun, (
            flat + beam * max(0.0, -south),
            flat + beam * max(0.0, east),
            flat + beam * max(0.0, south),
            flat + beam * max(0.0, -east),
        )


def diffuse_share(clearness: float) -> float:
    """Return the diffuse share of global radiation (Erbs 1982); `clearness` is global over extraterrestrial."""
    if clearness <= 0.22:
        return 1.0 - 0.09 * clearness
    if clearness <= 0.8:
        return 0.9511 - 0.1604 * clearness + 4.388 * clearness**2 - 16.638 * clearness**3 + 12.336 * clearness**4
    return 0.165


def _declination(day_of_year: int) -> float:
    return math.radians(23.45) * math.sin(2.0 * math.pi * (284 + day_of_year) / 365.0)


def _monthly(table: tuple[float, ...], when: date) -> float:
    """Interpolate between the middles of the months."""
    place = when.month - 1 + (when.day - 15.5) / 30.4
    low = math.floor(place)
    return table[low % 12] + (table[(low + 1) % 12] - table[low % 12]) * (place - low)
