"""What a day should have used: a change-point model of cooling on the outdoor temperature, with its quality.

E = b0 + b1 max(0, T - Tc), the three-parameter cooling model of ASHRAE Guideline 14, with b0 and b1 for working days
and for the others, and one Tc. It is fitted to four days of five; CVRMSE and NMBE are those of the fifth ones, to
which it was not fitted. Too few days are refused with how many there are and how many are needed: Guideline 14 wants a
year, and nine months at least.

Limits: CVRMSE 20 % for a whole-building regression with less than a year of reporting, NMBE 5 % (its limit for monthly
calibrated models; the text of 2014 is to be compared).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

__all__ = ["LEAST_DAYS", "MOST_CVRMSE", "MOST_NMBE", "Baseline", "Expected", "Refusal", "Sample", "expected", "fit"]

LEAST_DAYS = 270
MOST_CVRMSE = 0.20
MOST_NMBE = 0.05
_STEP_K = 0.25
_EACH_SIDE = 0.10
_LEAST_T = 2.0
_FOLD = 5
_BEYOND = 0.10


@dataclass(frozen=True, slots=True)
class Sample:
    """One day that is known."""

    day: date
    kwh: float
    temperature: float
    """Mean of the day outdoors, °C."""
    working: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no baseline."""

    reason: str
    """`few_days`, or `no_cooling`: no change point has days on both sides and a slope that can be told from 0."""
    days: int
    needed: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted model."""

    change_point: float
    """°C"""
    base_kwh: tuple[float, float]
    """A day below the change point: (working day, other)."""
    slope_kwh_per_k: tuple[float, float]
    """A day and kelvin above it: (working day, other)."""
    first: date
    last: date
    fitted: int
    """Days that it was fitted to."""
    held_out: int
    """Days on which it was judged."""
    cvrmse: float
    """On the days held out, share of their mean."""
    nmbe: float
    """On the days held out; more than 0: they used more than the model says."""
    low: float
    """Lowest and highest temperature of the days that it was fitted to, °C."""
    high: float

    @property
    def good(self) -> bool:
        """Whether it may be used to speak of savings."""
        return self.cvrmse <= MOST_CVRMSE and abs(self.nmbe) <= MOST_NMBE

    def predict(self, temperature: float, *, working: bool) -> float:
        """Return what a day should use, kWh."""
        kind = 0 if working else 1
        return self.base_kwh[kind] + self.slope_kwh_per_k[kind] * max(0.0, temperature - self.change_point)

    def beyond(self, temperature: float) -> bool:
        """Tell whether a temperature is more than 10 % of the range outside of what the model has seen."""
        margin = _BEYOND * (self.high - self.low)
        return not self.low - margin <= temperature <= self.high + margin


@dataclass(frozen=True, slots=True)
class Expected:
    """Measured days beside what the model says of them."""

    days: int
    measured_kwh: float
    expected_kwh: float
    beyond: int
    """Days warmer or colder than the model knows."""

    @property
    def saved_kwh(self) -> float:
        """Expected less measured; less than 0: more was used."""
        return self.expected_kwh - self.measured_kwh


def fit(samples: Sequence[Sample]) -> Baseline | Refusal:
    """Fit the model to the days, each fifth one held out."""
    days = sorted(samples, key=lambda sample: sample.day)
    if len(days) < LEAST_DAYS:
        return Refusal("few_days", len(days), LEAST_DAYS)
    held = [day for at, day in enumerate(days) if at % _FOLD == _FOLD - 1]
    used = [day for at, day in enumerate(days) if at % _FOLD != _FOLD - 1]
    temperature = np.array([day.temperature for day in used])
    kwh = np.array([day.kwh for day in used])
    working = np.array([day.working for day in used])
    best: tuple[float, float, NDArray[np.float64]] | None = None
    low, high = (float(edge) for edge in np.quantile(temperature, [_EACH_SIDE, 1 - _EACH_SIDE]))
    for point in np.arange(np.ceil(low / _STEP_K) * _STEP_K, high, _STEP_K):
        matrix = _matrix(temperature, working, float(point))
        found, _, rank, _ = np.linalg.lstsq(matrix, kwh, rcond=None)
        error = float(np.sum((kwh - matrix @ found) ** 2))
        if rank == matrix.shape[1] and found[2] > 0 and found[3] >= 0 and (best is None or error < best[0]):
            best = (error, float(point), found)
    if best is None or _t_of_slope(_matrix(temperature, working, best[1]), best[0]) * best[2][2] < _LEAST_T:
        return Refusal("no_cooling", len(days), LEAST_DAYS)
    _, point, found = best
    model = Baseline(
        change_point=point,
        base_kwh=(float(found[0]), float(found[1])),
        slope_kwh_per_k=(float(found[2]), float(found[3])),
        first=days[0].day,
        last=days[-1].day,
        fitted=len(used),
        held_out=len(held),
        cvrmse=0.0,
        nmbe=0.0,
        low=float(temperature.min()),
        high=float(temperature.max()),
    )
    return _judged(model, held)


def expected(model: Baseline, samples: Sequence[Sample]) -> Expected:
    """Return the days' energy beside what the model says of them."""
    return Expected(
        len(samples),
        sum(sample.kwh for sample in samples),
        sum(model.predict(sample.temperature, working=sample.working) for sample in samples),
        sum(model.beyond(sample.temperature) for sample in samples),
    )


def _judged(model: Baseline, held: Sequence[Sample]) -> Baseline:
    measured = np.array([sample.kwh for sample in held])
    said = np.array([model.predict(sample.temperature, working=sample.working) for sample in held])
    mean = float(measured.mean())
    # No parameter was fitted to these days, so that n stands where Guideline 14 has n - p.
    return Baseline(
        **{
            **{name: getattr(model, name) for name in model.__slots__},
            "cvrmse": float(np.sqrt(np.mean((measured - said) ** 2))) / mean if mean > 0 else float("inf"),
            "nmbe": float(np.mean(measured - said)) / mean if mean > 0 else float("inf"),
        }
    )


def _matrix(temperature: NDArray[np.float64], working: NDArray[np.bool_], point: float) -> NDArray[np.float64]:
    above = np.maximum(0.0, temperature - point)
    return np.column_stack([working, ~working, above * working, above * ~working]).astype(np.float64)


def _t_of_slope(matrix: NDArray[np.float64], error: float) -> float:
    """Return 1 / standard error of the slope of working days."""
    free = max(1, len(matrix) - matrix.shape[1] - 1)
    variance = error / free * float(np.linalg.pinv(matrix.T @ matrix)[2, 2])
    return float("inf") if variance <= 0 else float(1 / np.sqrt(variance))
