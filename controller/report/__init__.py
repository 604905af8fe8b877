"""Reports: statements of energy as PDF and XLSX, made by schedule and on demand, and kept."""
