"""Doors, cameras, intercom and SOS: what is more than points and alarms."""
