"""One vault, call by call: its secrets, keys and certificates, and their life."""
