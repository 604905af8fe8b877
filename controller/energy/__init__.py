"""Energy: what was used, and the carbon of it."""
