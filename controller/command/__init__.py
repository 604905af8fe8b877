"""Commands: the arbiter and the 16-slot priority array; the only code that calls a driver's write."""
