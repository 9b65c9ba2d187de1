"""Cloud profiles of your own; the built-in ones are there without a row."""

from __future__ import annotations

from sqlalchemy import select

from iclients.clouds import BUILT_IN, CloudProfile
from iclients.schemas import CloudSchema
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
        return next((cloud for cloud in self.candidates() if cloud.allows_vault(vault_url)), None)

    def candidates(self) -> list[CloudProfile]:
        """Every cloud, those of your own first."""
        return [*self.all(), *BUILT_IN.values()]

    def _check_unused(self, name: str) -> None:
        users = self._connection.scalars(
            select(iclients.c.name).where(iclients.c.cloud == name).order_by(iclients.c.name)
        )
        self._refuse_used(name, "iClient", [*users])
