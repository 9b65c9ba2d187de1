"""The people of the sandbox. Nobody has a password: whoever names an account is signed in.

ada administers the sandbox's tenant, ben is an ordinary member of it, gus is its guest and a member of the
other tenant, which olga administers.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass


@dataclass(slots=True)
class User:
    """A user object of one tenant. `revoked_at` is the number of the last grant that is no good any more.

    With `second_factor` nothing is given to this user's apps before a second proof.
    """

    name: str
    object_id: str
    given_name: str
    family_name: str
    mail: str
    home_tenant: str
    administrator: bool = False
    guest: bool = False
    enabled: bool = True
    revoked_at: int = 0
    second_factor: bool = False

    @property
    def display_name(self) -> str:
        """As pages and tokens write it."""
        return f"{self.given_name} {self.family_name}"

    def is_meant(self, hint: str) -> bool:
        """Whether a login hint names this user: by mail, by short name or by object id."""
        return hint.strip().lower() in (self.mail, self.name, self.object_id)


def home_users(tenant: str, domain: str, other_tenant: str, other_domain: str) -> list[User]:
    """The users of the sandbox's own tenant."""
    return [
        _member("ada", "Ada", "Admin", tenant, domain, administrator=True),
        _member("ben", "Ben", "Plain", tenant, domain),
        User("gus", _object_id(tenant, "gus"), "Gus", "Guest", f"gus@{other_domain}", other_tenant, guest=True),
    ]


def other_users(tenant: str, domain: str) -> list[User]:
    """The users of the other tenant."""
    return [
        _member("gus", "Gus", "Guest", tenant, domain),
        _member("olga", "Olga", "Other", tenant, domain, administrator=True),
    ]


def _member(
    name: str, given_name: str, family_name: str, tenant: str, domain: str, *, administrator: bool = False
) -> User:
    mail = f"{name}@{domain}"
    return User(name, _object_id(tenant, name), given_name, family_name, mail, tenant, administrator)


def _object_id(tenant: str, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(tenant), f"user/{name}"))
