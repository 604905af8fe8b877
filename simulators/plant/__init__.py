"""Physics of the building: plain step(dt) models and their state."""
