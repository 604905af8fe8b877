"""Takes the state out of the physics and puts it back, so that a world goes on where another one ended.

A class inside a part says `remembered = True` to be walked through as well.

Numbers, arrays and random generators of every component are collected by attribute; tables that devices look into are
filled in place.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["collect", "restore"]

_KINDS = (np.ndarray, Generator, deque, bool, int, float, str, type(None))
_ROOT = "simulators."


def collect(component: object) -> dict[str, np.ndarray[Any, Any]]:
    """Return the state of a component and of all components inside it: arrays by dotted name, and one JSON text."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    plain: dict[str, Any] = {}
    for name, holder, key in _walk(component, ""):
        value = holder[key]
        if isinstance(value, np.ndarray):
            arrays[name] = value.copy()
        elif isinstance(value, Generator):
            plain[name] = value.bit_generator.state
        elif isinstance(value, deque | tuple):
            plain[name] = list(value)
        elif isinstance(value, dict):
            plain[name] = dict(value)
        else:
            plain[name] = value
    arrays["plain"] = np.array(json.dumps(plain))
    return arrays


def restore(component: object, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Put a state back that `collect` took from a component of the same shape.

    Raises:
        ValueError: the state belongs to another site or another version.
    """
    plain = json.loads(str(state["plain"]))
    for name, holder, key in _walk(component, ""):
        value = holder[key]
        if isinstance(value, np.ndarray):
            saved = state.get(name)
            if saved is None or saved.shape != value.shape:
                got = "nothing" if saved is None else f"shape {saved.shape}"
                raise ValueError(f"{name}: got {got}, wanted shape {value.shape}; the state is of another site")
            value[...] = saved
            continue
        if name not in plain:
            raise ValueError(f"{name}: not in the state; it was written by another version")
        if isinstance(value, Generator):
            value.bit_generator.state = plain[name]
        elif isinstance(value, tuple):
            if list(value) != plain[name]:
                raise ValueError(f"{name}: the state is of other devices")
        elif isinstance(value, deque):
            value.clear()
            value.extend(plain[name])
        elif isinstance(value, dict):
            value.clear()
            value.update(plain[name])
        else:
            holder[key] = plain[name]


def _walk(component: object, prefix: str) -> list[tuple[str, dict[Any, Any], Any]]:
    """Return (dotted name, holder, key) of every piece of state below a component, in a fixed order."""
    found: list[tuple[str, dict[Any, Any], Any]] = []
    attributes: dict[str, Any] = vars(component)
    for key, value in attributes.items():
        name = f"{prefix}{key}"
        if _is_state(value):
            found.append((name, attributes, key))
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if _is_component(item):
                    found += _walk(item, f"{name}.{place}.")
                elif isinstance(item, float):
                    # Lists of numbers are few and short: each place by itself.
                    found.append((f"{name}.{place}", value, place))  # type: ignore[arg-type]
        elif _is_component(value):
            found += _walk(value, f"{name}.")
    return found


def _is_state(value: object) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, dict):
        return bool(value) and all(isinstance(k, str) and isinstance(v, bool | float) for k, v in value.items())
    return isinstance(value, _KINDS)


def _is_component(value: object) -> bool:
    kind = type(value)
    return (
        kind.__module__.startswith(_ROOT)
        and hasattr(value, "__dict__")
        and (kind.__name__ in _COMPONENTS or getattr(kind, "remembered", False) is True)
    )


_COMPONENTS = frozenset(
    ("Chiller", "CoolingPlant", "DriveBank", "HandlerBank", "MeterBank", "Network", "RoomBank", "TransformerBank")
) | {"ZoneBank"}
