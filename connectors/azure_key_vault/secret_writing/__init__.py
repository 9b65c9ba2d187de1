"""How flows write secrets into a vault."""
