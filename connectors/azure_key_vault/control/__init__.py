"""The control plane: Azure Resource Manager, read and changed."""
