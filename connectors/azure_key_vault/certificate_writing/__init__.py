"""How flows write certificates into a vault."""
