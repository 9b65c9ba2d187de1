"""What the page of a connection's form shows around its fields: iClients to choose from, scopes, tenant, what is sent where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors import registry as connectors
from connectors.descriptor import Descriptor
from iclients import registry as providers
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.errors import RemoteError
from iclients.model import IClient
from integrator.admission import CONSENTED
from integrator.bootstrap import Installation
from integrator.web.drafts import Sent
from integrator.web.fields import SECRET, Choice, Field, with_errors
from integrator.web.forms import connection as form
from integrator.web.forms.applying import AGAIN
from integrator.web.forms.known_scopes import Offer, of_connection
from integrator.web.forms.provider_cards import title_of
from integrator.web.forms.vault_address import SETTING as VAULT_URL
from integrator.web.forms.vault_address import Told, recognized

SIMPLE: Final = "simple"
HTTP: Final = "http"
_FROM_DISCOVERY: Final = "found by discovery when it is needed"
_PINGS: Final = {
    ("azure-key-vault", "data"): "GET {place}/secrets?maxresults=1",
    ("azure-key-vault", "control"): "GET {arm}/subscriptions",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The iClient that is chosen, or the only global one, and its cloud; and those that there are to choose from."""

    iclient: IClient | None
    cloud: CloudProfile | None
    choices: Sequence[Choice] = ()
    clouds: Sequence[CloudProfile] = ()
    has_global: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Everything that the template draws."""

    descriptor: Descriptor
    typed: Sent
    chosen: Chosen
    errors: Mapping[str, str] = field(default_factory=dict)
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
        """The connector's settings, each with the API types that it is for."""
        return [
            (self._told(form.setting_field(one, self.typed)), " ".join(one.api_types))
            for one in self.descriptor.settings
            if form.is_advanced(one) is advanced
        ]

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
        return offer_of(self.typed, self.chosen)

    def place(self) -> Told:
        """What the vault's URL is."""
        return recognized(self.typed.get(form.SETTING + VAULT_URL, ""), self.chosen.clouds)

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
        """Where things are sent: for whoever compares them with the provider's documentation."""
        return [(name, text) for name, text in self._wire() if text]

    def _wire(self) -> list[tuple[str, str]]:
        iclient, cloud = self.chosen.iclient, self.chosen.cloud
        audience = ""
        if cloud is not None and self.api_type:
            audience = cloud.vault_audience if self.api_type == "data" else cloud.arm_audience
        arm = cloud.arm if cloud else "https://management.azure.com"
        place = self.typed.get(form.SETTING + VAULT_URL, "").rstrip("/") or "{vault URL}"
        ping = _PINGS.get((self.descriptor.name, self.api_type), "the connector's own call")
        addresses = _addresses(iclient, cloud) if iclient and cloud else []
        return [
            ("Cloud", cloud.name if cloud else ""),
            ("Audience", audience),
            *addresses,
            ("Credential goes as", _authentication(iclient)),
            ("Ping", ping.format(place=place, arm=arm)),
        ]

    def _told(self, one: Field) -> Field:
        return with_errors([one], self.errors)[0]


def chosen_by(here: Installation, typed: Sent) -> Chosen:
    """The iClients that there are, and the one that is meant. Opens no credential."""
    with here.store.reading() as stored:
        iclients, own = stored.iclients.all(), stored.clouds.all()
    clouds = {cloud.name: cloud for cloud in (*own, *BUILT_IN.values())}
    by_name = {one.name: one for one in iclients}
    everywhere = [one for one in iclients if one.is_global]
    meant = by_name.get(typed.get("iclient", "")) or (everywhere[0] if len(everywhere) == 1 else None)
    named = {one.name: title_of(one.provider) for one in iclients}
    choices = form.iclient_choices(named, has_global=bool(everywhere))
    cloud = clouds.get(meant.cloud) if meant else None
    return Chosen(meant, cloud, choices, [*own, *BUILT_IN.values()], bool(everywhere))


def offer_of(typed: Sent, chosen: Chosen) -> Offer:
    """The scopes that can be chosen, with those that are."""
    iclient = chosen.iclient
    provider = iclient.provider if iclient else "entra"
    cloud = chosen.cloud if iclient else BUILT_IN["public"]
    own = iclient.scopes if iclient else ()
    offer = of_connection(provider, cloud, typed.get("api_type", ""), typed.get("auth", ""), own)
    named = [scope for scope in form.scopes_of(typed) if scope]
    touched = "scopes_shown" in typed
    return offer.with_chosen(named if named or touched else offer.usual, provider)


def wrong(descriptor: Descriptor, typed: Sent, chosen: Chosen) -> dict[str, str]:
    """What cannot work, by field, before anything is asked of anybody."""
    errors = form.wrong(descriptor, typed)
    if descriptor.auth_types:
        errors |= _wrong_iclient(typed, chosen) | _wrong_scopes(typed, chosen)
    key = form.SETTING + VAULT_URL
    is_asked = any(
        one.name == VAULT_URL and form.applies(one, typed.get("api_type", "")) for one in descriptor.settings
    )
    if is_asked and key not in errors:
        told = recognized(typed.get(key, ""), chosen.clouds)
        if told.tone == "bad":
            errors[key] = told.sentence
        elif told.cloud and chosen.cloud is not None and _differs(told, chosen):
            errors["iclient"] = (
                f"This vault is in cloud {told.cloud}, and the iClient is registered in {chosen.cloud.name}: choose one of "
                "the vault's cloud."
            )
    return errors


def descriptor_of(connector: str) -> Descriptor:
    """The connector's descriptor. Raises SettingsError where it is not installed."""
    return connectors.connector(connector).descriptor


def _differs(told: Told, chosen: Chosen) -> bool:
    iclient = chosen.iclient
    uses_clouds = iclient is not None and providers.provider(iclient.provider).uses_clouds
    return uses_clouds and chosen.cloud is not None and told.cloud != chosen.cloud.name


def _wrong_iclient(typed: Sent, chosen: Chosen) -> dict[str, str]:
    if typed.get("iclient") or chosen.has_global:
        return {}
    return {"iclient": "OAuth 2.0 client is not chosen: choose one, or make one with +."}


def _wrong_scopes(typed: Sent, chosen: Chosen) -> dict[str, str]:
    offer = offer_of(typed, chosen)
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


def _addresses(iclient: IClient, cloud: CloudProfile) -> list[tuple[str, str]]:
    """The provider's, where nobody has to be asked for them: a page never waits for another system."""

    def fetch(url: str) -> Any:
        raise _NotNow(_FROM_DISCOVERY)

    try:
        found = providers.provider(iclient.provider).endpoints(iclient, cloud, fetch)
    except _NotNow as error:
        return [("Token endpoint", str(error))]
    except RemoteError as error:
        return [("Token endpoint", str(error))]
    return [("Authorization endpoint", found.authorization_endpoint), ("Token endpoint", found.token_endpoint)]


def _authentication(iclient: IClient | None) -> str:
    if iclient is None:
        return ""
    try:
        return providers.provider(iclient.provider).traits(iclient).client_authentication
    except RemoteError as error:
        return str(error)


class _NotNow(Exception):
    """It would have to be fetched."""
