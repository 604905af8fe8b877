"""A Modbus connection that may write as well, and the encoders for it.

Lines of a profile with `read_only` never get one: their driver (`drivers.modbus.reader`) does not import this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymodbus.pdu import bit_message, register_message

from drivers.errors import DecodeError, DeviceTimeoutError
from drivers.modbus.client import READS, ReadConnection

if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

__all__ = ["Connection", "write_request"]


def write_request(function: int, address: int, words: tuple[int, ...]) -> bytes:
    """Return the PDU of a write: 5 and 15 for coils (words are 0 or 1), 6 and 16 for registers."""
    pdu: ModbusPDU
    if function == 5:
        pdu = bit_message.WriteSingleCoilRequest(address=address, bits=[bool(words[0])])
    elif function == 15:
        pdu = bit_message.WriteMultipleCoilsRequest(address=address, bits=[bool(word) for word in words])
    elif function == 6:
        pdu = register_message.WriteSingleRegisterRequest(address=address, registers=list(words))
    else:
        pdu = register_message.WriteMultipleRegistersRequest(address=address, registers=list(words))
    return bytes([function]) + pdu.encode()


class Connection(ReadConnection):
    """One line, one outstanding request, which may be a write."""

    functions = READS | {5, 6, 15, 16}

    async def write(self, unit: int, pdu: bytes, timeout_s: float) -> None:
        """Send a write once and check its echo.

        Raises:
            DeviceTimeoutError: no valid answer: unknown whether it was executed.
            DeviceRefusedError: an exception answer: not executed.
            ConnectError: not connected (not sent), or lost (unknown).
        """
        try:
            answer = await self._request(unit, pdu, 5, timeout_s)
            if answer != pdu[:5]:
                raise self._doubt(f"{self._who(unit)}: write {pdu.hex(' ')} was answered with {answer.hex(' ')}")
        except DecodeError as error:
            raise DeviceTimeoutError(f"{error}; unknown whether the write was executed") from error
