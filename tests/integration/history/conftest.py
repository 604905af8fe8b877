from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.services.influxdb import influx_server  # noqa: E402, TID251 tests use their own fixtures

__all__ = ["influx_server"]
