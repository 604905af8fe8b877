from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.services.influxdb import influx_server

__all__ = ["influx_server"]
