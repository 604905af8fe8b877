"""Charging of cars: who is there, what is still wanted, and which charger may take how much, and when."""
