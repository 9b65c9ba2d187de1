"""For those who write connectors: checks that every connector passes, and connectors that live in memory."""
