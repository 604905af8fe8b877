"""The 15-minute clock window of the demand charge: what was used so far, what is to be expected, what is still allowed.

Taipower bills the mean kW of each clock window of 15 minutes (control reference 1.4 and 8.6). At t seconds into a
window of W = 900 s, with E kW·s used so far:

    forecast of the window's mean   D = (E + P·(W − t)) / W,  P = robust mean of the last 90 s + ramp
    allowed power for the rest      A = (limit·W − E) / (W − t)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median

__all__ = [
    "RECENT_S",
    "WINDOW_S",
    "Forecast",
    "Track",
    "advance",
    "elapsed",
    "forecast",
    "recent_kw",
    "window_of",
    "without_ramp",
]

WINDOW_S = 900.0
_WINDOW_NS = 900_000_000_000
_SAMPLES_S = 120.0
RECENT_S = 90.0
_RAMP_TIME_S = 60.0
"""Time constant of the slope's moving mean."""
_RAMP_AHEAD_S = 240.0
"""A ramp is believed to go on for this long at most."""
_RAMP_SHARE = 0.03
"""And to this share of the limit at most: what rises longer is seen by measuring it."""
_GAP_S = 60.0
"""A longer silence of the meter is not bridged: the time in it counts as unseen."""
_JUMP_S = 2.0


@dataclass(frozen=True, slots=True)
class Track:
    """What was measured of the present window."""

    window: int
    """Its number: calendar ns // 900 s."""
    now_ns: int
    now: float
    energy_kws: float
    """kW·s of the seconds that were seen."""
    seen_s: float
    samples: tuple[tuple[float, float], ...]
    """(monotonic s, kW) of the last 120 s, the oldest first."""
    slope_kw_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The window as it looks now; kW."""

    elapsed_s: float
    used_kw: float
    """Mean of what was seen of it; NaN in its first moment."""
    power_kw: float
    """What is expected for the rest of it, ramp included."""
    mean_kw: float
    """The forecast of the window's mean."""
    allowed_kw: float
    """The power that the rest may have; below 0 when too much was used already."""
    unseen_s: float
    """Seconds of the window that nobody measured; taken as if they had been like the rest."""


def window_of(now_ns: int) -> int:
    """Return the number of the window that a calendar time, ns, is in."""
    return now_ns // _WINDOW_NS


def advance(track: Track | None, now_ns: int, now: float, kw: float) -> Track:
    """Return the track with one more measurement: `kw` at calendar time `now_ns` and monotonic time `now`.

    Windows follow the calendar (the meter's clock is set by the same time server), durations the monotonic clock: a
    calendar that is set while running begins its window anew.
    """
    window = window_of(now_ns)
    if track is None or not math.isfinite(track.now) or now <= track.now:
        return Track(window, now_ns, now, 0.0, 0.0, ((now, kw),))
    passed = now - track.now
    jumped = abs((now_ns - track.now_ns) / 1e9 - passed) > _JUMP_S
    before = track.samples[-1][1]
    samples = (*(one for one in track.samples if now - one[0] <= _SAMPLES_S), (now, kw))
    slope = _slope(track, samples, passed)
    if jumped or window not in (track.window, track.window + 1):
        return Track(window, now_ns, now, 0.0, 0.0, samples, slope)
    bridged = passed <= _GAP_S
    if window == track.window:
        energy = track.energy_kws + (0.5 * (before + kw) * passed if bridged else 0.0)
        return Track(window, now_ns, now, energy, track.seen_s + (passed if bridged else 0.0), samples, slope)
    inside = min((now_ns - window * _WINDOW_NS) / 1e9, passed)
    edge = kw - (kw - before) * inside / passed
    energy = 0.5 * (edge + kw) * inside if bridged else 0.0
    return Track(window, now_ns, now, energy, inside if bridged else 0.0, samples, slope)


def recent_kw(track: Track) -> float:
    """Return the mean power of the last 60 s."""
    recent = [kw for at, kw in track.samples if track.now - at <= 60.0]
    return sum(recent) / len(recent)


def without_ramp(track: Track) -> Track:
    """Return the track with its slope forgotten: after an own action the ramp says nothing of the building."""
    return replace(track, slope_kw_s=0.0)


def _slope(track: Track, samples: tuple[tuple[float, float], ...], passed: float) -> float:
    now = samples[-1][0]
    late = [kw for at, kw in samples if now - at <= _SAMPLES_S / 2]
    early = [kw for at, kw in samples if now - at > _SAMPLES_S / 2]
    if not early or now - samples[0][0] < 0.75 * _SAMPLES_S:
        return 0.0
    raw = (median(late) - median(early)) / (_SAMPLES_S / 2)
    keep = math.exp(-passed / _RAMP_TIME_S)
    return keep * track.slope_kw_s + (1.0 - keep) * raw


def elapsed(track: Track) -> float:
    """Return how far its window is, s."""
    return min(max((track.now_ns - track.window * _WINDOW_NS) / 1e9, 0.0), WINDOW_S - 1.0)


def forecast(track: Track, limit_kw: float, correction_kw: float = 0.0) -> Forecast:
    """Return the forecast of the track's window against a limit.

    `correction_kw` is added to the expected power: what was shed or given back a moment ago and the recent mean does
    not show yet (negative: shed).
    """
    passed = elapsed(track)
    rest = WINDOW_S - passed
    recent = sorted(kw for at, kw in track.samples if track.now - at <= RECENT_S)
    # The mean of the middle half: a lift that starts and a reading that leaps move it little.
    cut = len(recent) // 4
    middle = recent[cut : len(recent) - cut]
    ramp = track.slope_kw_s * min(rest / 2.0 + RECENT_S / 2.0, _RAMP_AHEAD_S)
    most = _RAMP_SHARE * limit_kw
    power = max(0.0, sum(middle) / len(middle) + min(max(ramp, -most), most) + correction_kw)
    used = track.energy_kws / track.seen_s if track.seen_s > 0.0 else math.nan
    unseen = max(0.0, passed - track.seen_s)
    guess = power if math.isnan(used) else used
    energy = track.energy_kws + unseen * guess
    return Forecast(
        elapsed_s=passed,
        used_kw=used,
        power_kw=power,
        mean_kw=(energy + power * rest) / WINDOW_S,
        allowed_kw=(limit_kw * WINDOW_S - energy) / rest,
        unseen_s=unseen,
    )
