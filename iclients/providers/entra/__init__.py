"""Microsoft Entra ID."""

from iclients.providers.entra.provider import Entra

__all__ = ["Entra"]
