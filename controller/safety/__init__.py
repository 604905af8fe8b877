"""Fire: what the panel says, what is held back for it, what the building did, and how it is given back."""
