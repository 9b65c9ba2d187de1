"""The connector: settings and access made into sources, targets and a ping."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from connectors.azure_key_vault import control_plane
from connectors.azure_key_vault.errors import explain
from connectors.azure_key_vault.model import DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.secrets import VaultSecrets
from connectors.azure_key_vault.source import SecretsSource
from connectors.azure_key_vault.target import SecretsTarget
from connectors.connector import Access, Connector, Source, Target
from connectors.descriptor import Descriptor, load
from connectors.errors import HostNotAllowed, SettingsError
from connectors.model import ApiType, Connection, Ping, ReadOptions, WriteOptions
from connectors.rest import RestClient
from connectors.throttle import Budget
from iclients.clouds import CloudProfile


class AzureKeyVault(Connector):
    """One connection to Key Vault: to one vault (data plane), or to Azure Resource Manager (control plane)."""

    descriptor: ClassVar[Descriptor] = load("connectors.azure_key_vault")

    def __init__(self, connection: Connection, access: Access) -> None:
        """Raises HostNotAllowed for a vault URL that the cloud profile does not list."""
        super().__init__(connection, access)
        self._cloud = _cloud(access)
        self._is_data = connection.api_type == ApiType.DATA
        self._vault = _address(connection)
        if self._is_data and not self._cloud.allows_vault(self._vault.url):
            raise HostNotAllowed(
                f"{self._vault.url} is not a vault of cloud profile {self._cloud.name}, whose vaults are "
                f"{', '.join(self._cloud.vaults)}: correct vault_url of connection {connection.name}, or its cloud."
            )
        self._client = self._rest_client()

    @property
    def calls(self) -> Mapping[str, int]:
        return self._client.calls

    def ping(self) -> Ping:
        if not self._is_data:
            return control_plane.ping(self._client, self._cloud.arm)
        self._secrets().probe()
        return Ping(f"{self._vault.host} let the connection in and listed its secrets.")

    def source(self, resource: str, options: ReadOptions) -> Source:
        self._check_resource(resource)
        return SecretsSource(self._secrets(), options, self.access.clock)

    def target(self, resource: str, options: WriteOptions) -> Target:
        self._check_resource(resource)
        return SecretsTarget(self._secrets(), options, self.access.fingerprint, self.access.clock)

    def _check_resource(self, resource: str) -> None:
        if not self._is_data or resource != "secrets":
            raise SettingsError(
                f"Connection {self.connection.name} has no resource {resource}; its data plane has: secrets."
            )

    def _secrets(self) -> VaultSecrets:
        version = str(self.connection.settings.get("api_version") or DEFAULT_API_VERSION)
        return VaultSecrets(self._client, self._vault, version)

    def _rest_client(self) -> RestClient:
        access, cloud = self.access, self._cloud
        if access.transport is None or access.session is None:
            raise SettingsError(f"Connection {self.connection.name} has no iClient: name one.")
        where = self._vault.host if self._is_data else "Azure Resource Manager"
        return RestClient(
            transport=access.transport,
            session=access.session(self.scopes),
            budget=self._budget(where),
            clock=access.clock,
            is_allowed=cloud.allows_vault if self._is_data else cloud.allows_arm,
            explain=partial(explain, vault=where),
            retrying=access.retrying,
        )

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

    def _budget(self, where: str) -> Budget:
        """The vault's published budget, shared; a connection with limits of its own has its own."""
        limits = self.connection.limits
        published, period = self.descriptor.budget, self.descriptor.budget_period_seconds
        if limits.calls is not None:
            published, period = dict.fromkeys(published, limits.calls), limits.period_seconds
            where = f"{where} for {self.connection.name}"
        if self.access.budget is None:
            return Budget(published, period, self.access.clock)
        return self.access.budget(where, published, period)


def _address(connection: Connection) -> VaultAddress:
    url = str(connection.settings.get("vault_url", ""))
    try:
        return VaultAddress.parse(url)
    except ValueError as error:
        raise SettingsError(f"vault_url of connection {connection.name} is {url}, which is no address.") from error


def _cloud(access: Access) -> CloudProfile:
    if access.cloud is None:
        raise SettingsError("A Key Vault connection needs a cloud profile.")
    return access.cloud
