"""Changes by people: the wish is durable before anything happens, and the result before the answer.

    return await audited(request, runtime, principal, "limit_change", address, reason=…, data=…, act=act)

Two lines of the audit journal each: `requested`, then `done` (or `refused`). With the journal down nothing is done.
When it breaks in between, the answer says what happened instead of pretending that nothing did.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from controller.api.access import address_of, healthy
from controller.api.problem import Problem
from controller.errors import ShifuError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastapi import Request

    from controller.api.runtime import Runtime
    from controller.identity.identity import Principal

__all__ = ["audited"]

T = TypeVar("T")


async def audited(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    action: str,
    target: str,
    *,
    reason: str,
    data: Mapping[str, Any],
    act: Callable[[], Awaitable[tuple[T, Mapping[str, Any]]]],
) -> T:
    """Have `act` change something between two durable lines of audit; return its result.

    `act` returns its result and what the second line says of it.

    Raises:
        Problem: 503 before anything was done, or 503 that says what was done and is not recorded.
        ShifuError: `act` refused; that is audited too.
    """
    healthy(runtime)
    audit = partial(runtime.identity.audit, principal.actor, action, target, client=address_of(request))
    await audit(outcome="requested", reason=reason, data=data)
    try:
        result, said = await act()
    except UnavailableError:
        raise
    except (ShifuError, Problem) as error:
        await audit(outcome="refused", reason=str(error))
        raise
    try:
        await audit(outcome="done", reason=reason, data=said)
    except UnavailableError as error:
        raise Problem(
            503,
            f"{action.replace('_', ' ')} of {target} has taken effect, but the journal failed before its record was "
            f"durable ({error})",
            "Do not repeat it; read the present state when the disk of the controller works again.",
            {"Retry-After": "5"},
        ) from error
    return result
