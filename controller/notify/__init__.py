"""Notifications: who is told of an alarm, by which way, until somebody acknowledges it; and what became of each."""
