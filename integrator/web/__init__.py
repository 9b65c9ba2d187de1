"""The web floor: pages that work without any script, and what other servers and probes ask.

`app.py` puts it together; a module in `views/` is one noun; `protection.py` is what every answer has and every request
must fit; `server.py` serves it.
"""
