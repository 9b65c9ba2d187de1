"""Templates: Jinja in its sandbox, without powers. Source: Jinja documentation, "Sandbox"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jinja2
import jinja2.meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEXT: Final = 2_000

Render = Callable[[Mapping[str, Any]], str]


def compiled(text: str) -> tuple[frozenset[str], Render]:
    """The fields that a template looks at, and how it is filled in. Raises ValueError with what is wrong and where."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it has more than {LONGEST_TEXT:,} characters")
    try:
        names = frozenset(jinja2.meta.find_undeclared_variables(_JINJA.parse(text)))
        return names, _JINJA.from_string(text).render
    except (RecursionError, SyntaxError, MemoryError):
        raise ValueError("it is nested too deep") from None
    except jinja2.TemplateError as error:
        raise ValueError(str(error).strip().splitlines()[0]) from error


class _Sandbox(ImmutableSandboxedEnvironment):
    """No powers and no repeated texts: one line of a template could fill the memory or keep a processor busy."""

    intercepted_binops = frozenset({"**", "*", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        is_calculation = all(isinstance(side, int | float) for side in (left, right))
        if operator == "**" or not is_calculation:
            raise SecurityError(f"{operator} is not allowed here")
        return super().call_binop(context, operator, left, right)


_JINJA: Final = _Sandbox(undefined=jinja2.StrictUndefined, autoescape=False, optimized=False)
