"""One collection of a vault as its target sees it: what secrets and certificates do each in a way of their own.

When to write, under which name and what is remembered of it is the same for both: `ObjectsTarget`, `CarryingOut`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from connectors.azure_key_vault.model import SecretProperties
from connectors.azure_key_vault.vault.objects import VaultObjects
from connectors.azure_key_vault.writing.deed import Aim, W, Wish
from connectors.errors import Refused
from iclients.retrying import Retrying


class There(Protocol):
    """What stands under a name."""

    @property
    def properties(self) -> SecretProperties:
        """Everything but what is secret."""


class OneWrite(Protocol):
    """One write, not yet made."""

    @property
    def makes_version(self) -> bool:
        """Whether it makes a new version; else it changes the one that is there."""


S = TypeVar("S", bound=There)
X = TypeVar("X", bound=OneWrite)


class Collection(ABC, Generic[W, S, X]):
    """The secrets or the certificates of a vault. Methods that ask the vault raise RemoteError."""

    noun: ClassVar[str]
    lists_deleted: ClassVar[bool] = False
    """Whether deleted names are listed even where the import has no rule for them: to send nothing in vain."""
    deleted_kind: ClassVar[str] = "deleted"
    """What runs call that listing."""
    objects: VaultObjects
    retrying: Retrying | None = None

    @property
    def host(self) -> str:
        """The vault."""
        return self.objects.vault.host

    @abstractmethod
    def wish(self, fields: Mapping[str, Any]) -> Wish[W]:
        """A record as what shall be there. Raises RecordError."""

    @abstractmethod
    def canonical(self, wanted: W) -> bytes:
        """What fingerprints are made of: two records that want the same, under the same rules, have one."""

    @abstractmethod
    def meant(self, aim: Aim[W], there: S) -> bytes | None:
        """The same of a record of these fields that would have made what is there; None where that cannot be told."""

    @abstractmethod
    def look(self, name: str) -> S | None:
        """What stands under this name. Needs get."""

    @abstractmethod
    def is_equal(self, aim: Aim[W], there: S) -> bool:
        """Whether there is nothing to write."""

    def may_be_made(self, aim: Aim[W], there: S) -> bool:
        """Whether what does not show its value may be just what was to be created."""
        return False

    @abstractmethod
    def create(self, aim: Aim[W]) -> X:
        """The write where nothing has the name."""

    @abstractmethod
    def update(self, aim: Aim[W], there: S) -> X:
        """The smallest write that makes what is wanted of what is there."""

    @abstractmethod
    def carry_out(self, write: X) -> SecretProperties:
        """What it made. Raises Refused only where nothing was written, AnswerLost where that is not known."""

    def explained(self, name: str, refused: Refused) -> Refused:
        """The same refusal with what stands in the way, as far as the app may look."""
        return refused
