"""Points: the site model, the table of present values, the registry of numbers, units and search."""
