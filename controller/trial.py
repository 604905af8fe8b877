"""Test reads: a socket that an engineer has the controller open, for a few seconds, to look at one device.

What keeps it from being used for anything else: the address has the scheme of the profile's protocol, the drivers
speak their protocol and nothing else and follow no redirect, one a person and four in all run at a time, and after
15 s it is over. Who may ask, which addresses are refused and the line of audit are the router's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import ConflictError, InvalidError, UnavailableError
from drivers.driver import Device
from drivers.errors import DriverError, ProfileError
from drivers.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.settings.build import Endpoints
    from drivers.driver import Clock
    from drivers.profile import Profile

__all__ = ["DEADLINE_S", "Trials"]

DEADLINE_S = 15.0
_WITHIN_S = 10.0
"""What a protocol may take for the reading itself; connecting and closing come on top."""
_MOST = 4


@dataclass(slots=True)
class Trials:
    """Runs them; one of these a controller."""

    clock: Clock
    endpoints: Endpoints
    _running: set[str] = field(default_factory=set)

    async def read(
        self,
        who: str,
        profile: Profile,
        endpoint: str,
        unit: int,
        options: Mapping[str, object],
        secrets: Mapping[str, str],
    ) -> Trial:
        """Read a device once; a device that is silent or refuses is a trial with an `error`.

        Raises:
            InvalidError: profile, address or options cannot be used.
            ConflictError: this person has a test read running.
            UnavailableError: too many run at once.
        """
        if who in self._running:
            raise ConflictError("a test read of yours is running; wait until it has ended, 15 s at most")
        if len(self._running) >= _MOST:
            raise UnavailableError(f"{_MOST} test reads are running; try again in some seconds")
        device = Device(
            id="trial",
            profile=profile,
            endpoint=self.endpoints.actual.get(endpoint, endpoint),
            numbers=np.arange(len(profile.points), dtype=np.int32),
            unit=unit,
            period_s=profile.period_s,
            options=options,
            secrets=secrets,
        )
        self._running.add(who)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await _read(device, self.clock)
        except ProfileError as error:
            raise InvalidError(str(error).replace("device trial: ", "")) from error
        except DriverError as error:
            return Trial((), (), str(error))
        except TimeoutError:
            return Trial((), (), f"{endpoint}: not done within {DEADLINE_S:g} s")
        finally:
            self._running.discard(who)


async def _read(device: Device, clock: Clock) -> Trial:
    # A protocol's library is imported when a device needs it, as in `controller.connection`.
    if device.profile.protocol == "modbus":
        from drivers.modbus.probe import try_profile  # noqa: PLC0415

        return await try_profile(device.profile, device.endpoint, device.unit, device.options, within_s=_WITHIN_S)
    if device.profile.protocol == "opcua":
        from drivers.opcua.browse import try_device as try_server  # noqa: PLC0415

        return await try_server(device, clock)
    from drivers.mqtt.sighting import try_device  # noqa: PLC0415

    return await try_device(device, clock, listen_s=_WITHIN_S)
