"""`.env` files for Integrator: `KEY=value` lines as records, written key by key."""
