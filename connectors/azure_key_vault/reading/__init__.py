"""What flows read from a vault."""
