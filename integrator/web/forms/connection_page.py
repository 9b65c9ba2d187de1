"""What the page of a connection's form shows around its fields: iClients to choose from, scopes, tenant, what is sent where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from connectors import registry as connectors
from connectors.descriptor import Descriptor
from iclients import registry as providers
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.errors import RemoteError
from iclients.model import IClient
from integrator.admission import CONSENTED
from integrator.bootstrap import Installation
from integrator.store.listing_iclients import iclient_names
from integrator.web.drafts import Sent
from integrator.web.fields import SECRET, Choice, Field, HowTo, with_errors
from integrator.web.forms import connection as form
from integrator.web.forms.applying import AGAIN
from integrator.web.forms.known_scopes import Offer, of_connection
from integrator.web.forms.provider_cards import title_of
from integrator.web.forms.vault_address import SETTING as VAULT_URL
from integrator.web.forms.vault_address import Told, recognized
from integrator.web.forms.wire import ping, wire
from integrator.web.forms.words import how_tos, is_of_cloud

SIMPLE: Final = "simple"
HTTP: Final = "http"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The iClient that is chosen, or the only global one, and its cloud; and those that there are to choose from."""

    iclient: IClient | None
    cloud: CloudProfile | None
    choices: Sequence[Choice] = ()
    clouds: Sequence[CloudProfile] = ()
    has_global: bool = False

    @property
    def home(self) -> CloudProfile | None:
        """The cloud that the iClient is registered in, where its provider has clouds."""
        uses_clouds = self.iclient is not None and providers.provider(self.iclient.provider).uses_clouds
        return self.cloud if uses_clouds else None


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Everything that the template draws."""

    descriptor: Descriptor
    typed: Sent
    chosen: Chosen
    errors: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """What the system offers for a setting, once it was asked."""
    stored: str = ""
    """The name of the connection that is changed; empty for a new one."""

    @property
    def view(self) -> str:
        """The simple view, or the one that shows everything."""
        return HTTP if self.typed.get("view") == HTTP else SIMPLE

    @property
    def api_type(self) -> str:
        """What is chosen."""
        return self.typed.get("api_type", "")

    def name(self) -> Field:
        """Its name."""
        return self._told(form.name_field(self.typed))

    def api_types(self, attributes: Mapping[str, str]) -> Field:
        """The cards."""
        return self._told(form.api_type_field(self.descriptor, self.typed, attributes))

    def auth(self, attributes: Mapping[str, str]) -> Field:
        """How it is let in."""
        return self._told(form.auth_field(self.descriptor, self.typed, attributes))

    def settings(self, *, advanced: bool) -> list[tuple[Field, str]]:
        """The connector's settings, each with the classes that show it for its API types alone."""
        return [
            (self._told(form.setting_field(one, self.typed, self.found.get(one.name))), _planes(one.api_types))
            for one in self.descriptor.settings
            if form.is_advanced(one) is advanced
        ]

    def can_be_looked_up(self, one: Field) -> bool:
        """Whether the system can be asked what there is for this field."""
        name = one.name.removeprefix(form.SETTING)
        return any(setting.offers and setting.name == name for setting in self.descriptor.settings)

    def limits(self) -> list[Field]:
        """What it may use."""
        return with_errors(form.limit_fields(self.descriptor, self.typed), self.errors)

    def owner(self) -> Field:
        """Who is told."""
        return self._told(form.owner_field(self.typed))

    def again(self) -> Field | None:
        """The client secret once more, where tokens would go to a new place."""
        error = self.errors.get(AGAIN, "")
        if not error or self.chosen.iclient is None:
            return None
        return Field(AGAIN, f"Client secret of {self.chosen.iclient.name}", SECRET, error=error, required=True)

    def offer(self) -> Offer:
        """The scopes that can be chosen; the usual ones are chosen where nobody has chosen yet."""
        return offer_of(self.descriptor.name, self.typed, self.chosen)

    def place(self) -> Told:
        """What the vault's URL is."""
        return recognized(self._address, self.chosen.clouds, self.chosen.home, self.descriptor.name)

    def wrong(self) -> list[Field]:
        """Every field with an error, in the order of the page, for the summary."""
        order = [
            "name",
            "api_type",
            "iclient",
            "scopes",
            *(form.SETTING + one.name for one in self.descriptor.settings),
        ]
        names = [*[name for name in order if name in self.errors], *[name for name in self.errors if name not in order]]
        return [Field(name, name, error=self.errors[name]) for name in names if name]

    def has_advanced_error(self) -> bool:
        """Whether what is wrong is folded away."""
        hidden = {"auth", "owner", *form.LIMITS}
        hidden |= {form.SETTING + one.name for one in self.descriptor.settings if form.is_advanced(one)}
        return bool(hidden & set(self.errors))

    def wire(self) -> list[tuple[str, str]]:
        """Where things are sent."""
        plane = self.api_type if is_of_cloud(self.descriptor.name) else ""
        return wire(plane, self.chosen.iclient, self.chosen.cloud)

    def pings(self) -> list[tuple[str, str]]:
        """The call of a test, for each API type that there is."""
        kinds = self.descriptor.api_types or ("",)
        return [(kind, ping(self.descriptor.name, kind, self._address, self.chosen.cloud)) for kind in kinds]

    def how_to(self) -> Mapping[str, HowTo]:
        """Help for client, scopes and tenant, as the chosen iClient's provider calls things."""
        provider = self.chosen.iclient.provider if self.chosen.iclient else ""
        return how_tos(self.descriptor.name, provider)

    @property
    def has_tenant(self) -> bool:
        """Whether a tenant means anything here: not for providers that have none."""
        iclient = self.chosen.iclient
        return providers.provider(iclient.provider).uses_clouds if iclient else is_of_cloud(self.descriptor.name)

    @property
    def watches_vault(self) -> bool:
        """Whether the vault's URL is recognized while it is typed."""
        return is_of_cloud(self.descriptor.name)

    def without_how_to(self, one: Field) -> Field:
        """The field without the help that unfolds: that comes after what is told of the address."""
        return replace(one, how_to=None)

    @property
    def _address(self) -> str:
        return self.typed.get(form.SETTING + VAULT_URL, "")

    def _told(self, one: Field) -> Field:
        return with_errors([one], self.errors)[0]


def chosen_by(here: Installation, typed: Sent) -> Chosen:
    """The iClients that there are, and the one that is meant. Opens no credential."""
    with here.store.database.reading() as db:
        rows = iclient_names(db)
    everywhere = [name for name, _, is_global in rows if is_global]
    named = {name: title_of(provider) for name, provider, _ in rows}
    wanted = typed.get("iclient", "")
    name = wanted if wanted in named else everywhere[0] if len(everywhere) == 1 else ""
    with here.store.reading() as stored:
        meant, own = stored.iclients.find(name) if name else None, stored.clouds.all()
    clouds = {cloud.name: cloud for cloud in (*own, *BUILT_IN.values())}
    cloud = clouds.get(meant.cloud) if meant else None
    choices = form.iclient_choices(named, has_global=bool(everywhere))
    return Chosen(meant, cloud, choices, [*own, *BUILT_IN.values()], bool(everywhere))


def offer_of(connector: str, typed: Sent, chosen: Chosen) -> Offer:
    """The scopes that can be chosen, with those that are."""
    iclient, is_azure = chosen.iclient, is_of_cloud(connector)
    provider = iclient.provider if iclient else "entra" if is_azure else ""
    cloud = (chosen.cloud if iclient else BUILT_IN["public"]) if is_azure else None
    own = iclient.scopes if iclient else ()
    offer = of_connection(provider, cloud, typed.get("api_type", ""), typed.get("auth", ""), own)
    named = [scope for scope in form.scopes_of(typed) if scope]
    touched = "scopes_shown" in typed
    return offer.with_chosen(named if named or touched else offer.usual, provider)


def wrong(descriptor: Descriptor, typed: Sent, chosen: Chosen) -> dict[str, str]:
    """What cannot work, by field, before anything is asked of anybody."""
    errors = form.wrong(descriptor, typed)
    if descriptor.auth_types:
        errors |= _wrong_iclient(typed, chosen) | _wrong_scopes(descriptor.name, typed, chosen)
    if is_of_cloud(descriptor.name) and typed.get("api_type") == "data":
        errors |= _wrong_vault(descriptor.name, typed.get(form.SETTING + VAULT_URL, ""), chosen)
    return errors


def descriptor_of(connector: str) -> Descriptor:
    """The connector's descriptor. Raises SettingsError where it is not installed."""
    return connectors.connector(connector).descriptor


def _planes(api_types: Sequence[str]) -> str:
    return " ".join(["for-plane", *(f"for-{name}" for name in api_types)]) if api_types else ""


def _wrong_vault(connector: str, address: str, chosen: Chosen) -> dict[str, str]:
    """What is wrong with a vault's address that is no empty one, or with the cloud that it is in."""
    told = recognized(address, chosen.clouds, chosen.home, connector)
    if told.tone == "bad":
        return {form.SETTING + VAULT_URL: f"Vault URL: {told.sentence[:1].lower()}{told.sentence[1:]}"}
    if told.cloud and chosen.home is not None and told.cloud != chosen.home.name:
        sentence = f"This vault is in cloud {told.cloud}, and the iClient is registered in {chosen.home.name}"
        return {"iclient": f"{sentence}: choose one of the vault's cloud."}
    return {}


def _wrong_iclient(typed: Sent, chosen: Chosen) -> dict[str, str]:
    if typed.get("iclient") or chosen.has_global:
        return {}
    return {"iclient": "OAuth 2.0 client is not chosen: choose one, or make one with +."}


def _wrong_scopes(connector: str, typed: Sent, chosen: Chosen) -> dict[str, str]:
    offer = offer_of(connector, typed, chosen)
    if offer.misfits:
        one = offer.misfits[0]
        return {"scopes": f"{one.name} does not fit: {one.why_not}."}
    if not offer.chosen and offer.usual:
        return {"scopes": "No scope is chosen: choose at least one."}
    return _refused_scopes(typed, chosen, [scope.name for scope in offer.chosen])


def _refused_scopes(typed: Sent, chosen: Chosen, scopes: Sequence[str]) -> dict[str, str]:
    """What the provider says of them together: one token serves one audience, for one."""
    if chosen.iclient is None or not scopes:
        return {}
    provider = providers.provider(chosen.iclient.provider)
    try:
        if typed.get("auth") in CONSENTED:
            provider.check_consent_scopes(chosen.iclient, scopes)
        elif typed.get("auth") == "client_credentials":
            provider.check_app_scopes(chosen.iclient, scopes)
    except RemoteError as error:
        return {"scopes": str(error)}
    return {}
