"""Where the certificates and keys of an OPC UA server and of its one client lie, and how the client logs in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Made anew for each start: nothing secret lies in the repository. The server process writes the files."""

    folder: Path
    user: str
    password: str

    @classmethod
    def anew(cls, folder: Path) -> Credentials:
        """Make the folder and choose a password."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(folder, "shifu", secrets.token_urlsafe(24))

    @property
    def server(self) -> tuple[Path, Path]:
        """Certificate and key of the server."""
        return self._pair("ddc-server")

    @property
    def client(self) -> tuple[Path, Path]:
        """Certificate and key of its client."""
        return self._pair("ddc-client")

    def _pair(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.pem", self.folder / f"{name}.key.pem"

    def secrets(self) -> dict[str, str]:
        """Return what a client needs, in the words of the endpoint map."""
        return {
            "user": self.user,
            "password": self.password,
            "ca": str(self.server[0]),
            "certificate": str(self.client[0]),
            "private_key": str(self.client[1]),
        }
