"""Fire drills: scenario, course, real signals that end it, muster, report."""
