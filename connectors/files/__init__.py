"""CSV and JSON Lines files in one folder: read lazily, replaced whole."""

from connectors.files.connector import Files

__all__ = ["Files"]
