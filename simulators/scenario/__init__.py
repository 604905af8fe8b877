"""What happens in the building on a given day."""
