"""What can go wrong with a flow, apart from the systems it moves records between.

FlowDefinitionError    the flow cannot work as it is written: names the rule and the next step
Fenced                 another process took the run over: stop at once, write nothing more
"""

from __future__ import annotations


class FlowDefinitionError(Exception):
    """The flow cannot work as it is written."""


class Fenced(Exception):
    """Another process took this run over."""
