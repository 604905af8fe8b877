"""Hardware simulators of the city hall: one world, physics that hangs together, real protocol servers on loopback."""
