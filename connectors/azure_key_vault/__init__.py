"""Azure Key Vault: the secrets of a vault, read and written carefully.

Source: Key Vault REST API reference, data plane, secrets. The permission each call needs stands at its method.
"""

from connectors.azure_key_vault.connector import AzureKeyVault

__all__ = ["AzureKeyVault"]
