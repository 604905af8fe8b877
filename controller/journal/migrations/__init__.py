"""Schema migrations of the state database, run by `controller.journal.database` when a journal is opened."""
