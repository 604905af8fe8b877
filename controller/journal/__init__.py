"""Append-only journals and the state schema: one SQLite file, one writer, group commit, hash-chained audit."""
