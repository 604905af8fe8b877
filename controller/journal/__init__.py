"""Journals: append-only records and the state database with its migrations."""
