"""The connector: settings and access made into sources, targets, actions and a ping."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from connectors.actions import Action
from connectors.azure_key_vault.actions.plane import DataPlane
from connectors.azure_key_vault.address import recognized, vault_address
from connectors.azure_key_vault.budgets import budget_of, effort_of, effort_of_action
from connectors.azure_key_vault.control.arm import Arm
from connectors.azure_key_vault.control.errors import explain_control
from connectors.azure_key_vault.control.plane import ControlPlane, Place, remaining
from connectors.azure_key_vault.control.preflight import ControlPreflight
from connectors.azure_key_vault.control.rights import actions_for
from connectors.azure_key_vault.control.source import CONTROL_RESOURCES, ControlSource
from connectors.azure_key_vault.errors import explain
from connectors.azure_key_vault.model import API_VERSIONS, DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.preflight import Preflight, rights_for
from connectors.azure_key_vault.reading.objects import KINDS, ObjectsSource
from connectors.azure_key_vault.reading.secrets import SecretsSource
from connectors.azure_key_vault.reading.versions import VERSION_KINDS, VersionsSource
from connectors.azure_key_vault.secret_writing.target import SecretsTarget
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.azure_key_vault.whose import challenged_tenant
from connectors.connector import Access, Connector, Source, Target
from connectors.descriptor import Descriptor, load
from connectors.effort import NO_OPTIONS, Effort
from connectors.errors import SettingsError
from connectors.model import ApiType, Connection, Ping, ReadOptions, Recognized, WriteOptions
from connectors.rest import RestClient
from iclients.addresses import resolved
from iclients.answers import Answer
from iclients.clouds import CloudProfile
from iclients.session import AuthorizedSession
from iclients.transport import Transport


class AzureKeyVault(Connector):
    """One connection to Key Vault: to one vault (data plane), or to Azure Resource Manager (control plane)."""

    descriptor: ClassVar[Descriptor] = load("connectors.azure_key_vault")

    def __init__(self, connection: Connection, access: Access) -> None:
        """Raises HostNotAllowed for a vault URL that the cloud profile does not list."""
        super().__init__(connection, access)
        self._cloud = _cloud(access)
        self._is_data = connection.api_type == ApiType.DATA
        self._vault = _address(connection, self._cloud) if self._is_data else VaultAddress("")
        self._place = Place.of(connection.settings)
        self._preflight: Preflight | None = None
        self._client = self._rest_client()

    @property
    def calls(self) -> Mapping[str, int]:
        return self._client.calls

    @classmethod
    def recognized(
        cls, setting: str, typed: str, clouds: Sequence[CloudProfile], home: CloudProfile | None
    ) -> Recognized | None:
        return recognized(typed, clouds, home) if setting == "vault_url" else None

    @classmethod
    def tenant_of(cls, connection: Connection, cloud: CloudProfile, transport: Transport) -> str:
        """As the challenge of the vault, or of the subscription, says. Raises HostNotAllowed before anybody is asked."""
        return challenged_tenant(connection, cloud, transport)

    def choices(self, setting: str) -> Sequence[tuple[str, str]]:
        """Subscriptions, or the groups of the chosen one, that the app sees. Needs read on them. Raises RemoteError."""
        if self._is_data:
            return super().choices(setting)
        plane = ControlPlane(self._client, self._cloud)
        if setting == "subscription":
            return [(one, name or one) for one, name in plane.subscriptions()]
        if setting == "resource_group":
            found = {group for one in plane.chosen(self._place) for group in plane.groups(one)}
            return [(group, group) for group in sorted(found, key=str.lower)]
        return super().choices(setting)

    def effort(
        self, resource: str, unread: frozenset[str] = frozenset(), options: Mapping[str, Any] = NO_OPTIONS
    ) -> Effort:
        return effort_of(self.connection, self.descriptor, self._answers, resource, unread, options)

    def effort_of_action(self, action_id: str, named: Collection[str]) -> Effort:
        return effort_of_action(self.connection, self.descriptor, self._answers, self.action(action_id).kinds(named))

    def ping(self) -> Ping:
        """Raises RemoteError with the checks that were made; SettingsError where the settings name what is not there."""
        if not self._is_data:
            plane = ControlPlane(self._client, self._cloud)
            return ControlPreflight(plane, self._session(), resolved, self._place, actions_for(self.needs)).run()
        needs = rights_for(self.needs)
        self._preflight = Preflight(self._client, self._session(), self._vault, self._api_version, resolved, needs)
        try:
            return self._preflight.run()
        finally:
            self._preflight = None

    def source(self, resource: str, options: ReadOptions) -> Source:
        self._check_resource(resource)
        if not self._is_data:
            return ControlSource(ControlPlane(self._client, self._cloud), resource, self._place)
        if resource == "secrets":
            return SecretsSource(self._secrets(), options, self.access.clock)
        if resource == "certificates":
            from connectors.azure_key_vault.reading.certificates import (
                CertificatesSource,  # opens keys: loaded on demand
            )

            plane = self._data_plane()
            return CertificatesSource(plane.certificates, plane.secrets, options, self.access.clock)
        objects = _COLLECTIONS[resource](self._client, self._vault, self._api_version)
        if resource in VERSION_KINDS:
            return VersionsSource(objects, resource, options, self.access.clock)
        return ObjectsSource(objects, resource, options, self.access.clock)

    def target(self, resource: str, options: WriteOptions) -> Target:
        self._check_resource(resource)
        if resource == "certificates" and self._is_data:
            from connectors.azure_key_vault.certificate_writing.obstacles import Obstacles
            from connectors.azure_key_vault.certificate_writing.target import CertificatesTarget  # likewise

            plane = self._data_plane()
            obstacles = Obstacles(plane.certificates, plane.secrets, plane.keys)
            return CertificatesTarget(obstacles, options, self.access.fingerprint, self.access.clock, plane.retrying)
        if resource != "secrets":
            raise SettingsError(f"{resource} of connection {self.connection.name} cannot be written, only read.")
        return SecretsTarget(self._secrets(), options, self.access.fingerprint, self.access.clock)

    def perform(self, action: Action, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        from connectors.azure_key_vault.actions.performers import (  # by the first action: flows need none
            CONTROL_PLANE,
            DATA_PLANE,
        )

        if not self._is_data:
            return CONTROL_PLANE[action.id](self._arm(), dict(inputs))
        return DATA_PLANE[action.id](self._data_plane(), dict(inputs))

    def _data_plane(self) -> DataPlane:
        told = self._client, self._vault, self._api_version
        access, objects = self.access, (VaultSecrets(*told), VaultKeys(*told), VaultCertificates(*told))
        return DataPlane(*objects, access.clock, access.retrying, access.progress)

    def _arm(self) -> Arm:
        access, name = self.access, self.connection.name
        told = self._client, self._cloud, self._place, name
        return Arm(*told, access.clock, access.retrying, access.progress)

    def _check_resource(self, resource: str) -> None:
        known = ("secrets", *KINDS, *VERSION_KINDS) if self._is_data else CONTROL_RESOURCES
        if resource not in known:
            plane = "data" if self._is_data else "control"
            raise SettingsError(
                f"Connection {self.connection.name} has no resource {resource}; its {plane} plane has: {', '.join(known)}."
            )

    def _secrets(self) -> VaultSecrets:
        return VaultSecrets(self._client, self._vault, self._api_version)

    @property
    def _api_version(self) -> str:
        version = str(self.connection.settings.get("api_version") or DEFAULT_API_VERSION)
        if version not in API_VERSIONS:
            raise SettingsError(
                f"api_version of connection {self.connection.name} is {version}, which is not spoken; there are: "
                f"{', '.join(API_VERSIONS)}."
            )
        return version

    def _session(self) -> AuthorizedSession:
        if self.access.session is None:
            raise SettingsError(f"Connection {self.connection.name} has no iClient: name one.")
        return self.access.session(self.scopes)

    def _rest_client(self) -> RestClient:
        access, cloud = self.access, self._cloud
        session = self._session()
        if access.transport is None:
            raise SettingsError(f"Connection {self.connection.name} has no iClient: name one.")
        where = self._answers
        budget = budget_of(self.connection, access, self.descriptor, where, cloud.name)
        return RestClient(
            transport=access.transport,
            session=session,
            budget=budget,
            clock=access.clock,
            is_allowed=cloud.allows_vault if self._is_data else cloud.allows_arm,
            explain=partial(explain, vault=where) if self._is_data else explain_control,
            retrying=access.retrying,
            watch=self._watch if self._is_data else partial(remaining, budget),
        )

    @property
    def _answers(self) -> str:
        """The host that its calls go to."""
        return self._vault.host if self._is_data else urlsplit(self._cloud.arm).netloc

    def _watch(self, answer: Answer) -> None:
        if self._preflight is not None:
            self._preflight.watch(answer)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The connection's own, else its iClient's that are for this audience (a token serves only one) or name none."""
        audience = self._cloud.vault_audience if self._is_data else self._cloud.arm_audience
        foreign = [scope for scope in self.connection.scopes if "://" in scope and not scope.startswith(f"{audience}/")]
        if foreign:
            raise SettingsError(
                f"Connection {self.connection.name} asks for {foreign[0]}, a token for another service than {audience}: "
                "it would be sent to the wrong host; correct its scopes."
            )
        named = self.access.scopes
        chosen = tuple(scope for scope in named if scope.startswith(f"{audience}/"))
        if not chosen and named and not any("://" in scope for scope in named):
            chosen = named
        return self.connection.scopes or chosen or (f"{audience}/.default",)


def _address(connection: Connection, cloud: CloudProfile) -> VaultAddress:
    return vault_address(connection.name, str(connection.settings.get("vault_url", "")), cloud)


def _cloud(access: Access) -> CloudProfile:
    if access.cloud is None:
        raise SettingsError("A Key Vault connection needs a cloud profile.")
    return access.cloud


_COLLECTIONS: Final[Mapping[str, type[VaultObjects]]] = {
    "keys": VaultKeys,
    "deleted_secrets": VaultSecrets,
    "deleted_keys": VaultKeys,
    "deleted_certificates": VaultCertificates,
    "secret_versions": VaultSecrets,
    "key_versions": VaultKeys,
    "certificate_versions": VaultCertificates,
}
