"""A local Azure on TLS: Entra ID, Key Vault secrets, and a little of Azure Resource Manager.

It ships with the product, for trying it out and for tests; docs/sandbox.md says what it covers and where
it differs from Azure. It imports nothing of the rest of the product.
"""

from connectors.azure_key_vault.sandbox.errors import PortTaken
from connectors.azure_key_vault.sandbox.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.serving import serve, write_document

__all__ = ["PortTaken", "Sandbox", "serve", "write_document"]
