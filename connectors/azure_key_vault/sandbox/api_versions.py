"""The versions of the data plane's API: which there are, and what came with each (Azure reference sheet, section 4.10).

A version is a generation, a number that grows: an operation is refused before its own, and a member is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.azure_key_vault.sandbox.errors import Refused

LATEST_API_VERSION: Final = "2026-04-01"
API_VERSIONS: Final[Mapping[str, int]] = {
    "2016-10-01": 0,
    "7.0": 1,
    "7.1": 2,
    "7.2": 3,
    "7.3": 4,
    "7.4": 5,
    "7.5": 6,
    "7.6": 7,
    "2025-07-01": 8,
    "2026-03-01-preview": 9,
    LATEST_API_VERSION: 10,
}
WITH_PENDING_LISTED: Final = API_VERSIONS["7.0"]
WITH_RECOVERABLE_DAYS: Final = API_VERSIONS["7.1"]
WITH_RELEASE: Final = API_VERSIONS["7.3"]
WITH_OTHER_NAMES: Final = API_VERSIONS["2025-07-01"]
"""Addresses and URIs among a certificate's alternative names."""
WITH_PREVIOUS_VERSION: Final = API_VERSIONS["2025-07-01"]
WITH_CHOSEN_TYPE: Final = API_VERSIONS["2025-07-01"]
_SINCE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("cert_backup", "cert_restore"), "7.0"),
    **dict.fromkeys(("key_rotate", "key_rotation_get", "key_rotation_put", "key_rng"), "7.3"),
}
"""Kind of call → the version that it came with; all others were there from the start."""


def generation_of(parameters: Mapping[str, str], kind: str = "") -> int:
    """Which generation a request speaks; 400 where it names none, an unknown one, or one without this kind of call."""
    version = parameters.get("api-version")
    if not version:
        raise Refused(400, "BadParameter", "The query parameter api-version is required.")
    generation = API_VERSIONS.get(version, API_VERSIONS.get(version.partition("-preview")[0]))
    if generation is None:
        message = f"The api-version is not recognised. The latest supported is {LATEST_API_VERSION}."
        raise Refused(400, "BadParameter", message)
    since = _SINCE.get(kind)
    if since is not None and generation < API_VERSIONS[since]:
        message = f"The operation is not supported by api-version {version}; it came with {since}."
        raise Refused(400, "BadParameter", message)
    return generation
