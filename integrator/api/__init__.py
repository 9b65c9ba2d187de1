"""The HTTP API: the actions of connections for programs, in JSON, let in by a token. How it is used: docs/api.md."""
