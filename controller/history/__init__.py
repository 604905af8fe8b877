"""History: one log of frames, and its readers: the embedded history and InfluxDB, each with a cursor of its own."""
