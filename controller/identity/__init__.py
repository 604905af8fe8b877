"""Identity: users, passwords, sessions, tokens, and permissions as action × area."""
