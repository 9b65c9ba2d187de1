"""Cloud profiles of your own; the built-in ones are there without a row."""

from __future__ import annotations

from sqlalchemy import select

from iclients.clouds import BUILT_IN, CloudProfile
from iclients.schemas import CloudSchema
from integrator.errors import InUse
from integrator.store.named import Named
from integrator.store.tables import clouds, iclients


class Clouds(Named[CloudProfile]):
    """Clouds by name."""

    noun = "cloud"
    table = clouds
    schema = CloudSchema()

    def find(self, name: str) -> CloudProfile | None:
        """The built-in or stored cloud of this name."""
        return BUILT_IN.get(name) or super().find(name)

    def listing(self, vault_url: str) -> CloudProfile | None:
        """The cloud that lists this vault's host: one of your own first."""
        candidates = [*self.all(), *BUILT_IN.values()]
        return next((cloud for cloud in candidates if cloud.allows_vault(vault_url)), None)

    def _check_unused(self, name: str) -> None:
        user = self._connection.scalar(select(iclients.c.name).where(iclients.c.cloud == name).limit(1))
        if user is not None:
            raise InUse(f"Cloud {name} is used by iClient {user}: change or delete that first.")
