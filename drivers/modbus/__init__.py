"""Modbus over TCP, serial units behind gateways, and serial RTU."""
