"""How a database of an older version becomes one of this version: Alembic revisions, the newest named in HEAD."""

from typing import Final

HEAD: Final = "0009"
