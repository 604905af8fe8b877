"""Rules: typed expressions over points, compiled to numpy, giving virtual points."""
