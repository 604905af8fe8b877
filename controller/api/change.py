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

__all__ = ["audited", "replaced"]

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


async def replaced(
    request: Request,
    runtime: Runtime,
    principal: Principal,
    action: str,
    target: str,
    *,
    reason: str,
    before: Any,
    wanted: Any,
    check: Callable[[], None],
    keep: Callable[[], Awaitable[None]],
    after: Callable[[], tuple[T, Any]],
) -> T:
    """Put something else in the place of what people may change at the same time; of two the second is told.

    `check` raises when what is there is not what the person read; it is asked again when nobody else can come between.
    `keep` makes the change durable and has it take effect. The first line of audit has `before` and `wanted`, the
    second `before` and what `after` says is there now; `after` gives the result as well.

    Raises:
        Problem: 409 or 412 from `check`; 503 as `audited`.
        ShifuError: `keep` refused; that is audited too.
    """
    check()

    async def act() -> tuple[T, dict[str, Any]]:
        async with runtime.changing:
            check()
            await keep()
        result, said = after()
        return result, {"before": before, "after": said}

    data = {"before": before, "after": wanted}
    return await audited(request, runtime, principal, action, target, reason=reason, data=data, act=act)
