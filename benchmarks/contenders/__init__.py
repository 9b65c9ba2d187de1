"""What a user would write or pick instead: each exports a vault's enabled secrets to JSON Lines, nothing more."""
