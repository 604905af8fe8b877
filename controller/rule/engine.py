"""Runs the rules of a site: virtual points from present values, each rule for all its equipment at once.

Everything is checked when the engine is built: points, parameters, kinds, units, windows, cycles. What remains at run
time is array work and three-valued logic; nothing there can be wrong with the text of a rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from controller.rule.bind import bind
from controller.rule.compile import Frame, compile_tree
from controller.rule.definition import RuleError
from controller.rule.parse import parse_expression
from controller.rule.tree import scale
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from controller.point.model import Site
    from controller.point.table import PointTable
    from controller.rule.bind import Bound
    from controller.rule.compile import Pair, Program
    from controller.rule.definition import RuleDefinition
    from controller.rule.window import Window
    from drivers.driver import Clock

__all__ = ["RawHistory", "RawSeries", "RuleEngine"]

_UNCERTAIN = np.uint8(64)
_BAD = np.uint8(128)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RawSeries(Protocol):
    """Raw history of one point, as `controller.history.store.Series` has it."""

    @property
    def number(self) -> int:
        """Point number."""

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """Rising times, ns UTC."""

    @property
    def value(self) -> NDArray[np.float64]:
        """Values at these times."""

    @property
    def quality(self) -> NDArray[np.uint8]:
        """Their qualities."""

    @property
    def before(self) -> tuple[int, float, int] | None:
        """(time_ns, value, quality) of the last one before the range."""


class RawHistory(Protocol):
    """The call of `controller.history.store.HistoryStore` that is needed here."""

    async def raw(
        self, numbers: Sequence[int], start_ns: int, end_ns: int, limit: int = 100_000
    ) -> Sequence[RawSeries]:
        """Return raw readings of each point in [start, end)."""


@dataclass(slots=True)
class _Rule:
    """A rule that is checked and compiled."""

    definition: RuleDefinition
    outputs: NDArray[np.int32]
    inputs: list[Bound]
    sources: NDArray[np.intp]
    """Point numbers of each input (rows) and equipment (columns), for the quality of an unknown result."""
    program: Program
    factor: float
    shift: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    needs: set[int] = field(default_factory=set)
    """Numbers of the points that it reads."""

    def run(
        self, value: NDArray[np.float64], quality: NDArray[np.uint8], calendar: dict[str, Pair], now: float
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return value and quality of the outputs."""
        frame = Frame({**calendar, **{bound.name: bound.read(value, quality, now) for bound in self.inputs}}, now)
        result, known = self.program.run(frame)
        result = (result - self.shift) / self.factor
        judged = np.full(len(result), Quality.GOOD, np.uint8)
        judged[(result < self.low) | (result > self.high)] = Quality.UNCERTAIN_RANGE
        if not known.all():
            worst = quality[self.sources].max(axis=0, initial=0)
            # Good inputs without a result: a division by zero, or a window that is not covered yet.
            reason = np.where(worst >= _BAD, worst, np.where(worst >= _UNCERTAIN, Quality.BAD_COMM, Quality.BAD_SENSOR))
            judged = np.where(known, judged, reason.astype(np.uint8))
        return result, judged


class RuleEngine:
    """All rules of a site, checked and compiled.

    Args:
        definitions: the rules; their virtual points must be in `site`, with their numbers.
        site: the configuration.
        clock: for windows and durations (monotonic), and for hour, weekday and workday (calendar).
        workday: tells whether a local day is one; without it, Monday to Friday.

    Raises:
        RuleError: a rule is wrong, or rules need each other's points in a circle.
    """

    def __init__(
        self,
        definitions: Iterable[RuleDefinition],
        site: Site,
        clock: Clock,
        workday: Callable[[date], bool] | None = None,
    ) -> None:
        self._site = site
        self._clock = clock
        self._zone = ZoneInfo(site.timezone)
        self._workday = workday or (lambda day: day.weekday() < 5)
        self._rules = _ordered([self._build(definition) for definition in definitions])
        self.numbers: NDArray[np.int32] = np.concatenate(
            [np.empty(0, np.int32), *(rule.outputs for rule in self._rules)]
        ).astype(np.int32)
        """Numbers of all virtual points, in the order of dependency."""

    def evaluate(self, table: PointTable) -> Readings:
        """Return a reading of every virtual point, in the order of dependency, from the values that `table` holds.

        A rule that uses another's point sees the value of this very run. Inputs that are not good are unknown; an
        unknown result is bad: with the worst quality of the inputs when one is bad, `BAD_COMM` when one is stale or
        doubtful, and `BAD_SENSOR` when all are good and there is still no value (a division by zero, a window not
        covered). The table is not changed; apply what is returned.
        """
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        if not self._rules:
            return Readings.of([], [], now_ns)
        calendar = self._calendar(now_ns)
        value, quality = table.value.copy(), table.quality.copy()
        for rule in self._rules:
            value[rule.outputs], quality[rule.outputs] = rule.run(value, quality, calendar, now)
        return Readings(
            self.numbers,
            value[self.numbers],
            np.full(len(self.numbers), now_ns, np.int64),
            quality[self.numbers],
        )

    def window_spans(self) -> dict[int, float]:
        """Return, by point number, how many seconds of the past the windows of the rules need."""
        spans: dict[int, float] = {}
        for _, bound, window in self._windows():
            for number in bound.numbers.tolist():
                spans[number] = max(spans.get(number, 0.0), window.span_s)
        return spans

    async def refill(self, history: RawHistory) -> None:
        """Fill the windows from history, once, with what was before the first `evaluate`.

        Durations and rates of whole expressions begin anew. No point's history is asked for further back than its
        longest window.
        """
        numbers: dict[float, list[int]] = {}
        for number, span_s in self.window_spans().items():
            numbers.setdefault(span_s, []).append(number)
        for span_s in sorted(numbers):
            end_ns = self._clock.now_ns()
            self.fill(await history.raw(sorted(numbers[span_s]), end_ns - round(span_s * 1e9), end_ns))

    def fill(self, series: Iterable[RawSeries]) -> None:
        """Fill the windows from series that end now; see `refill`."""
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        by_number = {one.number: one for one in series}
        for _, bound, window in self._windows():
            for column, number in enumerate(bound.numbers.tolist()):
                if (one := by_number.get(number)) is None:
                    continue
                time_ns, value, quality = one.time_ns, one.value, one.quality
                if one.before is not None:
                    time_ns = np.concatenate([[one.before[0]], time_ns])
                    value = np.concatenate([[one.before[1]], value])
                    quality = np.concatenate([[one.before[2]], quality])
                at = now - (now_ns - time_ns) / 1e9
                past = at <= now
                scaled = value[past] * bound.factor[column] + bound.shift[column]
                known = (quality[past] < _UNCERTAIN) & np.isfinite(scaled)
                window.fill(column, at[past], scaled, known, now)

    def _windows(self) -> Iterable[tuple[_Rule, Bound, Window]]:
        return ((rule, bound, bound.window) for rule in self._rules for bound in rule.inputs if bound.window)

    def _calendar(self, now_ns: int) -> dict[str, Pair]:
        local = (_EPOCH + timedelta(microseconds=now_ns // 1_000)).astimezone(self._zone)
        hour = local.hour + local.minute / 60 + local.second / 3600
        workday = np.bool_(self._workday(local.date()))
        return {
            "hour": (np.float64(hour), np.True_),
            "weekday": (np.float64(local.isoweekday()), np.True_),
            "workday": (workday, np.True_),
        }

    def _build(self, definition: RuleDefinition) -> _Rule:
        points = self._site.points
        expression = parse_expression(definition)
        matched = definition.matched(self._site.equipment.values())
        pieces = [piece for piece in matched if f"{piece.address}.{definition.point.tag}" in points]
        if not pieces:
            wanted = f"of class {definition.cls!r}" if definition.cls else f"with the address {definition.equipment!r}"
            if matched:
                raise RuleError(f"none of its {len(matched)} pieces of equipment has its point", definition)
            raise RuleError(f"the site has no equipment {wanted}", definition)
        outputs = [points[f"{piece.address}.{definition.point.tag}"] for piece in pieces]
        for name in definition.inputs:
            if name not in expression.names:
                raise RuleError(f"the input {name!r} is not used in the expression", definition)
        used = [name for name in expression.names if name in definition.inputs]
        bound = [bind(self._site, expression, name, definition.inputs[name], pieces) for name in used]
        tree = expression.typed({one.name: one.type for one in bound})
        factor, shift = scale(definition.point.unit) if definition.point.kind == "analog" else (1.0, 0.0)
        sources = [one.numbers for one in bound if one.constant is None]
        return _Rule(
            definition,
            np.array([point.number for point in outputs], np.int32),
            bound,
            np.array(sources, np.intp).reshape(len(sources), len(pieces)),
            compile_tree(tree, len(pieces), self._clock.monotonic()),
            factor,
            shift,
            np.array([point.low for point in outputs]),
            np.array([point.high for point in outputs]),
            {number for numbers in sources for number in numbers.tolist()},
        )


def _ordered(rules: list[_Rule]) -> list[_Rule]:
    """Return the rules so that each comes after those whose points it reads.

    Raises:
        RuleError: they go in a circle, or two make one point.
    """
    maker: dict[int, int] = {}
    for place, rule in enumerate(rules):
        for number in rule.outputs.tolist():
            if number in maker:
                other = rules[maker[number]].definition.id
                raise RuleError(
                    f"makes the point {rule.definition.point.tag} that rule {other} makes too", rule.definition
                )
            maker[number] = place
    graph = {place: {maker[n] for n in rule.needs if n in maker} for place, rule in enumerate(rules)}
    for place, needs in graph.items():
        if place in needs:
            raise RuleError("needs its own point", rules[place].definition)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle: list[Any] = error.args[1]
        names = " → ".join(rules[place].definition.id for place in circle)
        raise RuleError(f"rules need each other's points in a circle: {names}", rules[circle[0]].definition) from error
    return [rules[place] for place in order]
