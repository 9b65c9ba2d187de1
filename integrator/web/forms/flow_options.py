"""The options of an import in a flow's form: what the chosen resource can be told besides, drawn from its descriptor.

Only options that say something else than the descriptor's default are put into the document, and those that stood there
already. A form that never showed one (another resource was chosen, and nothing drawn anew) leaves it as it was; so
boxes send an empty text besides, because one that is not ticked sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.descriptor import ResourceDescriptor, Setting
from connectors.errors import SettingsError
from integrator.web.drafts import Sent

PREFIX: Final = "target.option."
YES: Final = "yes"


@dataclass(frozen=True, slots=True)
class OptionTold:
    """One option as it is drawn: `values` are what is chosen, or typed; `is_usual` whether that is the default."""

    setting: Setting
    values: Sequence[str]
    notes: Sequence[str] = ()
    error: str = ""
    is_usual: bool = True

    @property
    def name(self) -> str:
        """The name of its element."""
        return PREFIX + self.setting.name

    @property
    def id(self) -> str:
        """The element's id: an error summary leads to it."""
        return f"field-{self.name}"

    @property
    def kind(self) -> str:
        """How it is drawn: boxes, lines, check, select, number or text."""
        if self.setting.kind == "list":
            return "boxes" if self.setting.choices else "lines"
        return {"boolean": "check", "integer": "number"}.get(
            self.setting.kind, "select" if self.setting.choices else "text"
        )

    @property
    def text(self) -> str:
        """What is typed."""
        return "\n".join(self.values)

    @property
    def help(self) -> str:
        """What it is, as a sentence."""
        return self.setting.help[:1].upper() + self.setting.help[1:]

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """What each choice does, where the help says it as `choice: meaning; choice: meaning.`; else nothing."""
        parts = [part.partition(": ") for part in self.setting.help.rstrip(".").split("; ")]
        words = [word for word, _, meaning in parts if meaning]
        return [(word, meaning) for word, _, meaning in parts] if words == list(self.setting.choices) else []

    @property
    def described_by(self) -> str:
        """The ids of what explains it to a screen reader."""
        return f"{self.id}-help" + (f" {self.id}-error" if self.error else "")

    @property
    def strange(self) -> str:
        """What is chosen although it is none of the choices: it stays until somebody chooses another one."""
        is_strange = self.kind == "select" and self.text not in self.setting.choices
        return self.text if is_strange else ""


def put(typed: Sent, step: Mapping[str, Any]) -> None:
    """A stored import's options as the form would send them."""
    for name, value in step.get("options", {}).items():
        typed.setlist(PREFIX + name, _sent(value))


def told(typed: Sent, resource: ResourceDescriptor | None, errors: Mapping[str, str]) -> list[OptionTold]:
    """The options of the resource, as they stand in the form."""
    if resource is None:
        return []
    return [_told(typed, resource, option, errors.get(PREFIX + option.name, "")) for option in resource.options]


def document_of(typed: Sent, resource: ResourceDescriptor | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """The options of what was typed; `before` is the stored import, whose unseen options stay."""
    is_same = all(before.get(name) == typed.get(f"target.{name}", "").strip() for name in ("connection", "resource"))
    stored: dict[str, Any] = dict(before.get("options", {})) if is_same else {}
    for option in resource.options if resource else ():
        if PREFIX + option.name in typed:
            value = _value(typed, option)
            if option.name in stored or value != option.default:
                stored[option.name] = value
    return stored


def wrong(resource: ResourceDescriptor | None, import_: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the options, by field: each by itself, else what cannot be combined."""
    if resource is None or not resource.options:
        return {}
    given = import_.get("options", {})
    known = {option.name: option for option in resource.options}
    found = {
        PREFIX + name: f"{known[name].title} {_plain(known[name], problem)}"
        for name, value in given.items()
        if name in known and (problem := known[name].problem(value))
    }
    if found:
        return found
    mapped = [str(rule.get("to", "")) for rule in import_.get("mapping", ())]
    try:
        resource.check_import(str(import_.get("operation", "upsert")), mapped, given)
    except SettingsError as error:
        named = next((name for name in known if f"options.{name} " in str(error)), resource.options[0].name)
        return {PREFIX + named: str(error)}
    return {}


def _told(typed: Sent, resource: ResourceDescriptor, option: Setting, error: str) -> OptionTold:
    is_typed = PREFIX + option.name in typed
    values = [text for text in typed.getlist(PREFIX + option.name) if text] if is_typed else _sent(option.default)
    is_usual = not is_typed or _value(typed, option) == option.default
    notes = [note for one in resource.excludes if (note := one.help(option.name))]
    return OptionTold(option, values, notes, error, is_usual)


def _sent(value: Any) -> list[str]:
    """A value as a form sends it."""
    if isinstance(value, bool):
        return [YES] if value else [""]
    if isinstance(value, list | tuple):
        return [str(one) for one in value] or [""]
    return ["" if value is None else str(value)]


def _value(typed: Sent, option: Setting) -> Any:
    """What was typed, as a document has it; what is no whole number stays the text that it is."""
    sent = [text for text in typed.getlist(PREFIX + option.name) if text]
    if option.kind == "boolean":
        return YES in sent
    if option.kind == "list":
        return sent if option.choices else [line for text in sent for line in text.splitlines() if line.strip()]
    text = sent[-1].strip() if sent else ""
    if not text:
        return option.default
    if option.kind == "integer" and text.removeprefix("-").isdecimal() and len(text) < _LONGEST_NUMBER:
        return int(text)
    return text


def _plain(option: Setting, problem: str) -> str:
    return "is not a whole number." if problem == "is not integer." else problem.removeprefix(" ")


_LONGEST_NUMBER: Final = 19
