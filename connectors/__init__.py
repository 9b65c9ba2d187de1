"""Speaking: one folder per system, and the kit that connectors are made with.

Works as a library, without the web and without a database; knows only `iclients` below it.
"""
