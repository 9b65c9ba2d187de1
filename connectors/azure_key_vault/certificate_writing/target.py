"""Importing certificates: compare first, import only another certificate, patch what is said of the same one.

A certificate that is equal needs no key at all: the vault's list tells when it was touched and its thumbprint, and a look
shows the certificate itself, whose key nobody has twice. Source: Key Vault REST API, Import Certificate.
"""

from __future__ import annotations

from collections.abc import Callable

from connectors.azure_key_vault.certificate_writing.collection import CertificatesCollection
from connectors.azure_key_vault.certificate_writing.obstacles import Obstacles
from connectors.azure_key_vault.certificate_writing.record import WRITABLE_FIELDS, WantedCertificate
from connectors.azure_key_vault.certificate_writing.standing import CertificateStanding
from connectors.azure_key_vault.certificate_writing.write import Write
from connectors.azure_key_vault.writing.rules import ImportRules, check_options
from connectors.azure_key_vault.writing.target import ObjectsTarget
from connectors.model import WriteOptions
from iclients.clock import Clock
from iclients.retrying import Retrying


class CertificatesTarget(ObjectsTarget[WantedCertificate, CertificateStanding, Write]):
    """The certificates of a vault as the place to write to. Needs list, get, import and update; recover or purge where it
    is told so."""

    def __init__(
        self,
        obstacles: Obstacles,
        options: WriteOptions,
        fingerprint: Callable[[bytes], str],
        clock: Clock,
        retrying: Retrying | None = None,
    ) -> None:
        """Raises SettingsError where the operation or a mapped field cannot be."""
        check_options(options, CertificatesCollection.noun, WRITABLE_FIELDS)
        rules = ImportRules.of(options.options)
        super().__init__(CertificatesCollection(obstacles, rules, clock, retrying), rules, options, fingerprint, clock)
