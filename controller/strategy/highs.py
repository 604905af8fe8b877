"""HiGHS behind one door: a linear programme put together row by row, solved with or without its whole numbers.

Each solve is a new instance with one thread and a fixed seed: the same programme takes the same way, and the time limit
of HiGHS, which counts all runs of an instance, means this run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from highspy import HighsLp
    from numpy.typing import NDArray

__all__ = ["INFEASIBLE", "OPTIMAL", "STOPPED", "Model", "Solution", "solve"]

OPTIMAL, STOPPED, INFEASIBLE = "optimal", "stopped", "infeasible"


@dataclass(frozen=True, slots=True)
class Solution:
    """What came of a solve."""

    status: str
    """`OPTIMAL` (within the gap), `STOPPED` by time or nodes, `INFEASIBLE`."""
    value: NDArray[np.float64]
    """Of each column; empty when there is none."""
    objective: float
    gap: float
    """Relative distance from the best bound; 0 for a linear programme, infinite without a solution."""
    nodes: int


@dataclass(slots=True)
class Model:
    """Columns and rows; `lower`, `upper`, `row_lower` and `row_upper` may be changed between solves."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)
    _start: list[int] = field(default_factory=lambda: [0])
    _index: list[int] = field(default_factory=list)
    _weight: list[float] = field(default_factory=list)

    def column(self, lower: float, upper: float, *, whole: bool = False) -> int:
        """Add a variable; returns its number."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.lower) - 1

    def row(self, lower: float, upper: float, index: Sequence[int], weight: Sequence[float]) -> int:
        """Add lower ≤ Σ weight · column ≤ upper; returns its number."""
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        self._index += index
        self._weight += weight
        self._start.append(len(self._index))
        return len(self.row_lower) - 1

    def program(self, cost: NDArray[np.float64], *, whole: bool) -> HighsLp:
        """Return it as HiGHS takes it."""
        import highspy  # noqa: PLC0415 - wanted in the job process alone

        found = highspy.HighsLp()
        found.num_col_, found.num_row_ = len(self.lower), len(self.row_lower)
        found.col_cost_ = cost
        found.col_lower_, found.col_upper_ = np.array(self.lower), np.array(self.upper)
        found.row_lower_, found.row_upper_ = np.array(self.row_lower), np.array(self.row_upper)
        matrix = found.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_ = np.array(self._start, np.int32)
        matrix.index_ = np.array(self._index, np.int32)
        matrix.value_ = np.array(self._weight, np.float64)
        if whole:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            found.integrality_ = [kinds[one] for one in self.whole]
        return found


def solve(
    model: Model,
    cost: NDArray[np.float64],
    *,
    whole: bool,
    gap: float = 1e-3,
    slack: float = 1e-6,
    nodes: int | None = None,
    seconds: float | None = None,
    bounds: tuple[Sequence[float], Sequence[float]] | None = None,
    start: NDArray[np.float64] | None = None,
) -> Solution:
    """Minimise `cost`; with `whole` the columns that must be whole numbers are.

    Args:
        model: the programme.
        cost: of each column.
        whole: False for the linear relaxation.
        gap: relative distance from the bound at which it ends.
        slack: the same, absolute.
        nodes: of the search tree at the most.
        seconds: wall clock at the most.
        bounds: lower and upper of each column, in place of the model's.
        start: a solution to begin with.

    Raises:
        RuntimeError: HiGHS refused the programme, which is a mistake of ours.
    """
    import highspy  # noqa: PLC0415 - wanted in the job process alone
    from highspy._core import _Highs  # noqa: PLC0415 - the public class prints a banner when it is made

    engine = _Highs()
    settings: dict[str, bool | int | str] = {"output_flag": False, "threads": 1, "random_seed": 1, "parallel": "off"}
    for name, setting in (*settings.items(), ("mip_rel_gap", gap), ("mip_abs_gap", slack)):
        engine.setOptionValue(name, setting)
    if nodes is not None:
        engine.setOptionValue("mip_max_nodes", nodes)
    if seconds is not None:
        engine.setOptionValue("time_limit", max(seconds, 0.001))
    program = model.program(cost, whole=whole)
    if bounds is not None:
        program.col_lower_, program.col_upper_ = np.array(bounds[0]), np.array(bounds[1])
    refused = engine.passModel(program) == highspy.HighsStatus.kError
    if start is not None and not refused:
        known_solution = highspy.HighsSolution()
        known_solution.col_value = start
        engine.setSolution(known_solution)
    if refused or engine.run() == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refused the programme")
    status = engine.getModelStatus()
    known = highspy.HighsModelStatus
    info = engine.getInfo()
    if status in (known.kInfeasible, known.kUnboundedOrInfeasible):
        return Solution(INFEASIBLE, np.empty(0), np.inf, np.inf, 0)
    done = status == known.kOptimal
    held = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    value = np.array(engine.getSolution().col_value) if held else np.empty(0)
    distance = 0.0 if done and not whole else (float(info.mip_gap) if whole and held else np.inf)
    searched = max(int(info.mip_node_count), 0) if whole else 0
    return Solution(OPTIMAL if done else STOPPED, value, float(info.objective_function_value), distance, searched)
