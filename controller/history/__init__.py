"""History: one log of columnar frames with two readers, the embedded history and InfluxDB."""
