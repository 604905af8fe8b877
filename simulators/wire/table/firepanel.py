"""Register tables of the fire panel's gateway and of its hard-wired relay.

Source: site standard panel: Modbus TCP, FC03 alone (a write of any kind is answered with exception 1). Outputs as seen
from register 300 on: two registers a floor from the lowest, the first with the floor's own devices; the second one of
the lowest floor has the recall of the lifts, that of the floor above the gas valves.
"""

from __future__ import annotations

from simulators.plant.firepanel import BITS, FLOOR_OUTPUTS, FLOORS, GAS_VALVES, LIFTS, RELAY_INPUTS, ZONES
from simulators.wire.register import Bank, BitBank, Cell, Source
from simulators.wire.unit import Table

__all__ = ["site_standard_fire", "site_standard_fire_relay"]


def _word(names: list[str]) -> Source:
    """Return a word whose bits, from the lowest, are quantities."""
    return lambda state: float(sum(1 << bit for bit, name in enumerate(names) if state.get(name, 0.0) >= 0.5))


def site_standard_fire(_unit: int) -> Table:
    """0 heartbeat, 1 panel bits, 2-3 counts; 100-163 zones, 200-263 first detectors, 300-331 outputs."""
    cells = [
        Cell(0, "heartbeat", "u16"),
        Cell(1, _word(list(BITS)), "u16"),
        Cell(2, "zones_in_fire", "u16"),
        Cell(3, "zones_in_fault", "u16"),
    ]
    for zone in range(1, ZONES + 1):
        cells.append(Cell(99 + zone, f"zone_{zone:02}_state", "u16"))
        cells.append(Cell(199 + zone, f"zone_{zone:02}_detector", "u16"))
    for floor in range(FLOORS):
        own = [f"floor_{floor + 1:02}_{what}" for what in FLOOR_OUTPUTS]
        cells.append(Cell(300 + 2 * floor, _word(own), "u16"))
    cells.append(Cell(301, _word([f"lift_recall_{n:02}" for n in range(1, LIFTS + 1)]), "u16"))
    cells.append(Cell(303, _word([f"gas_valve_{n}" for n in range(1, GAS_VALVES + 1)]), "u16"))
    return Table("site-standard-fire", {3: Bank(cells, fill=[(300, 331, b"\0\0")])})


def site_standard_fire_relay(_unit: int) -> Table:
    """Discrete inputs of the relay: 0 fire, 1 fault."""
    return Table("site-standard-fire-relay", {2: BitBank(list(RELAY_INPUTS))})
