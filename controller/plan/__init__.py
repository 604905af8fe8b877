"""Floor plans: drawings, zones and places of equipment, checked and laid out; no file format but the drawings'."""
