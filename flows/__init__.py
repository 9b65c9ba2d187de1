"""Moving records: exports, imports, mapping, and the engine that runs them.

Pure: no web and no database. What must be remembered goes through the `Journal` port.
"""
