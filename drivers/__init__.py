"""Drivers: from the wire to readings and events, and one write at a time back. They know nothing of buildings."""
