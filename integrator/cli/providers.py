"""`integrator providers`: the authorization servers that are known, and what an iClient of each must say."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any

import click

from integrator.cli.output import json_option, print_json, print_table
from integrator.errors import NotFoundHere

if TYPE_CHECKING:
    from iclients.preset import PresetSetting
    from iclients.provider import Provider


@click.group()
def providers() -> None:
    """Authorization servers that are known: plug-ins, and presets with endpoints, scopes and settings filled in."""


@providers.command("list")
@click.argument("search", default="")
@json_option
def list_all(search: str, as_json: bool) -> None:
    """Every provider, by name; with SEARCH, those whose name or title has it."""
    from iclients import registry

    documents = [_document(name, registry.provider(name)) for name in registry.names()]
    wanted = search.lower()
    found = [document for document in documents if wanted in f"{document['name']} {document['title']}".lower()]
    if as_json:
        print_json(found)
        return
    rows = [(document["name"], document["title"], document["grants"], _needed(document)) for document in found]
    print_table(("name", "title", "grants", "needs settings"), rows, f"No provider has {search} in its name.")


@providers.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One provider: its endpoints, settings, scopes, and where its own documentation is."""
    from integrator.documents import text

    document = _document(name, _known(name))
    if as_json:
        print_json(document)
    else:
        click.echo(text({key: value for key, value in document.items() if value not in ("", None, {}, [])}), nl=False)


def _known(name: str) -> Provider:
    """The provider of this name. Raises NotFoundHere, naming those that are called nearly so."""
    from iclients import registry

    names = registry.names()
    if name in names:
        return registry.provider(name)
    near = difflib.get_close_matches(name.lower(), names, n=3)
    guess = f"did you mean {' or '.join(near)}?" if near else "`integrator providers list` shows those that there are."
    raise NotFoundHere(f"There is no provider {name}: {guess}")


def _document(name: str, provider: Provider) -> dict[str, Any]:
    """What `show` prints of one provider."""
    from iclients.providers.generic import Generic

    if not isinstance(provider, Generic):
        title, note = (_first_line(text) for text in (sys.modules[type(provider).__module__].__doc__, provider.__doc__))
        told = {"name": name, "title": title or name, "note": note, "grants": [], "settings": {}}
        return told | {"optional_settings": list(provider.settings)}
    preset = provider.preset
    return {
        "name": name,
        "title": preset.title,
        "documentation": preset.documentation,
        "note": preset.note,
        "grants": list(preset.grants),
        "settings": {setting.name: _wanted(setting) for setting in preset.settings},
        "endpoints": dict(preset.endpoints),
        "client_authentication": preset.traits.client_authentication,
        "pkce": preset.traits.pkce,
        "scope_delimiter": preset.traits.scope_delimiter,
        "refresh_issued": preset.refresh.issued,
        "refresh_rotates": preset.refresh.rotates,
        "scopes": dict(preset.scopes),
    }


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _wanted(setting: PresetSetting) -> str:
    default = f"; {setting.default} where nothing is set" if setting.default else ""
    return f"{setting.title}, such as {setting.example}{default}"


def _needed(document: dict[str, Any]) -> list[str]:
    return [name for name, told in document["settings"].items() if "where nothing is set" not in told]
