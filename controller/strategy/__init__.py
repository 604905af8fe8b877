"""Strategies: programs that decide commands from readings, each a pure decision that says why; the engine runs them."""
