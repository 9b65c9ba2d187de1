"""`integrator providers`: the authorization servers that are known, and what an iClient of each must say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from integrator.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from iclients.preset import PresetSetting


@click.group()
def providers() -> None:
    """Authorization servers that are known: plug-ins, and presets with endpoints, scopes and settings filled in."""


@providers.command("list")
@click.argument("search", default="")
@json_option
def list_all(search: str, as_json: bool) -> None:
    """Every provider, by name; with SEARCH, those whose name or title has it."""
    from iclients import registry

    documents = [_document(name) for name in registry.names()]
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

    document = _document(name)
    if as_json:
        print_json(document)
    else:
        click.echo(text({key: value for key, value in document.items() if value not in ("", None, {}, [])}), nl=False)


def _document(name: str) -> dict[str, Any]:
    """Raises NotAuthorized where there is no such provider."""
    from iclients import registry
    from iclients.providers.generic import Generic

    provider = registry.provider(name)
    if not isinstance(provider, Generic):
        about = (type(provider).__doc__ or "").strip().splitlines()
        return {"name": name, "title": about[0] if about else name, "grants": [], "settings": {}}
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


def _wanted(setting: PresetSetting) -> str:
    default = f"; {setting.default} where nothing is set" if setting.default else ""
    return f"{setting.title}, such as {setting.example}{default}"


def _needed(document: dict[str, Any]) -> list[str]:
    return [name for name, told in document["settings"].items() if "where nothing is set" not in told]
