"""What can be done on a connection one call at a time: definitions (`*.toml`) and what carries them out."""
