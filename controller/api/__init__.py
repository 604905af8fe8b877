"""The HTTP API and the stream: one router a noun, permissions on every route."""
