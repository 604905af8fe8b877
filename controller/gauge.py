"""Gauges: what `/metrics` says of the road, read from the counters of its parts when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.cycle import CycleCounts, Parts
    from controller.field.inbox import Inbox
    from controller.history.embedded import EmbeddedStatus
    from controller.history.influx import InfluxWriter
    from controller.history.log import LogStatus

__all__ = ["cycle_gauges", "store_gauges"]


def cycle_gauges(counts: CycleCounts, parts: Parts, inbox: Inbox) -> dict[str, float]:
    """Return what came in, what was dropped, and what the turns did with it."""
    table, commands = parts.table.counts, parts.arbiter.counts
    return {
        "cycle_turns_total": counts.turns,
        "cycle_faults_total": counts.faults,
        "cycle_slowest_seconds": counts.slowest_s,
        "readings_total": counts.readings,
        "readings_late_total": counts.late,
        "readings_unknown_total": table.unknown,
        "readings_out_of_order_total": table.out_of_order,
        "events_total": counts.events,
        "inbox_waiting": inbox.waiting,
        "inbox_dropped_readings_total": inbox.dropped_readings,
        "inbox_dropped_events_total": inbox.dropped_events,
        "commands_total": commands.commands,
        "command_refreshes_total": commands.refreshes,
        "command_reasserts_total": commands.reasserts,
    }


def store_gauges(log: LogStatus, embedded: EmbeddedStatus, influx: InfluxWriter | None) -> dict[str, float]:
    """Return how log and stores are; of InfluxDB only where the site has one."""
    gauges: dict[str, float] = {
        "log_healthy": float(log.healthy),
        "log_pending": log.pending,
        "log_written_total": log.written,
        "log_dropped_total": log.dropped,
        "log_failures_total": log.failures,
        "history_healthy": float(embedded.healthy),
        "history_damaged_total": embedded.damaged,
        "history_lag_frames": embedded.lag_frames,
    }
    if influx is None:
        return gauges
    status = influx.status()
    return gauges | {
        "influx_healthy": float(status.healthy),
        "influx_pending_frames": status.pending_frames,
        "influx_backlog_frames": status.backlog_frames,
        "influx_written_total": status.written,
        "influx_quarantined_total": status.quarantined,
        "influx_unknown_total": status.unknown,
        "influx_missed_files_total": status.missed_files,
        "influx_failures_total": status.failures,
        "influx_lag_seconds": status.lag_s,
    }
