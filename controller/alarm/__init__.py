"""Alarms: the ISA-18.2 state machine over limits, states and communication."""
