"""Strategies: programs that decide commands from readings, each a pure decision with its explanation."""
