"""Name codecs: what a system lets a thing be called, made into a name that any vault takes, and back.

A vault takes 1 to 127 of 0-9, A-Z, a-z and hyphen, and compares without case. So each codec gives back exactly what it
was given, whatever a vault did to the case, and no two originals get names that are equal without case, but those that
their own system takes for one. What a codec cannot give back it refuses.
Source: Key Vault objects, "Object identifiers"; .NET configuration provider for Key Vault (`--` for `:`); RFC 4648 §6.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from connectors.errors import RecordError
from flows.errors import FlowDefinitionError

LONGEST_NAME_CHARACTERS: Final = 127
ORIGINAL_NAME: Final = "original_name"
"""The field that takes what a record was called before a codec made its name, where the target has one."""
_NAME: Final = re.compile(r"[0-9A-Za-z-]+")


class Codec:
    """One way to make names and to undo it. `is_cased`: originals that differ only in case are two, not one."""

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    example: ClassVar[tuple[str, str]]
    is_cased: ClassVar[bool] = True

    def encode(self, original: str) -> str:
        """The name. Raises RecordError, code name_not_encodable, for what it could not give back, or is too long."""
        if not original:
            raise _not_encodable("An empty text makes no name: map a field that every record has.")
        try:
            name = self._encoded(original)
        except ValueError as error:
            raise _not_encodable(f"{_shown(original)} makes no name with codec {self.name}: {error}.") from None
        if len(name) > LONGEST_NAME_CHARACTERS:
            raise _not_encodable(
                f"{_shown(original)} makes a name of {len(name)} characters with codec {self.name}; a vault takes at "
                f"most {LONGEST_NAME_CHARACTERS}: shorten it."
            )
        return name

    def decode(self, name: str) -> str:
        """What `encode` made the name of. Raises RecordError, code name_not_decodable, for what it did not make."""
        problem = f"it is no name that codec {self.name} makes; take it as it is, or with another codec"
        try:
            original = self._decoded(name) if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME_CHARACTERS else ""
            if original and self._encoded(original).lower() == name.lower():
                return original
        except ValueError as error:
            problem = str(error) if type(error) is ValueError else problem
        raise RecordError(f"{_shown(name)} cannot be made what it was: {problem}.", code="name_not_decodable")

    def _encoded(self, original: str) -> str:
        """Raises ValueError with the end of a sentence."""
        raise NotImplementedError

    def _decoded(self, name: str) -> str:
        """Raises ValueError likewise; whether the name is the one that `_encoded` makes is looked at afterwards."""
        raise NotImplementedError


class Env(Codec):
    """DB_PASSWORD ↔ db-password."""

    name = "env"
    title = "Environment variable"
    help = "DB_PASSWORD becomes db-password: of capital letters, digits and _ only, each _ a hyphen."
    example = ("DB_PASSWORD", "db-password")

    def _encoded(self, original: str) -> str:
        if not re.fullmatch(r"[A-Z0-9_]+", original):
            raise ValueError("it takes A-Z, 0-9 and _ only; codec escaped takes everything")
        return original.lower().replace("_", "-")

    def _decoded(self, name: str) -> str:
        return name.upper().replace("-", "_")


class _Parts(Codec):
    """Parts between separators, each of words with single hyphens, so that `--` can be nothing but a separator."""

    separator: ClassVar[str]
    words: ClassVar[str]
    advice: ClassVar[str]

    def _encoded(self, original: str) -> str:
        parts = original.split(self.separator)
        if not all(re.fullmatch(rf"{self.words}(-{self.words})*", part) for part in parts):
            raise ValueError(self.advice)
        return "--".join(parts)

    def _decoded(self, name: str) -> str:
        return name.replace("--", self.separator)


class DotNet(_Parts):
    """Section:Key ↔ Section--Key."""

    name = "dotnet"
    title = ".NET configuration key"
    help = "Section:Key becomes Section--Key, as .NET reads it from a vault: letters, digits and single hyphens between colons."
    example = ("ConnectionStrings:Main", "ConnectionStrings--Main")
    is_cased = False
    separator, words = ":", "[0-9A-Za-z]+"
    advice = (
        "it takes letters, digits and single hyphens with : between them; codec dotnet-env takes __ between them, "
        "and codec escaped everything"
    )


class DotNetVariable(_Parts):
    """Section__Key ↔ Section--Key."""

    name = "dotnet-env"
    title = ".NET configuration variable"
    help = "Section__Key becomes Section--Key: .NET's way to write Section:Key as an environment variable."
    example = ("ConnectionStrings__Main", "ConnectionStrings--Main")
    is_cased = False
    separator, words = "__", "[0-9A-Za-z]+"
    advice = (
        "it takes letters, digits and single hyphens with __ between them; codec dotnet takes : between them, "
        "and codec escaped everything"
    )


class Path(_Parts):
    """apps/billing/db-password ↔ apps--billing--db-password."""

    name = "path"
    title = "Path"
    help = (
        "a/b-c/d becomes a--b-c--d: small letters, digits and single hyphens between slashes; a slash may come first."
    )
    example = ("/prod/billing/db-password", "--prod--billing--db-password")
    separator, words = "/", "[0-9a-z]+"
    advice = "it takes small letters, digits and single hyphens with / between them; codec escaped takes everything"

    def _encoded(self, original: str) -> str:
        rest = original.removeprefix(self.separator)
        return ("--" if rest != original else "") + super()._encoded(rest)

    def _decoded(self, name: str) -> str:
        return super()._decoded(name.lower())


class Escaped(Codec):
    """Db_Password ↔ -kdb-u-kpassword: everything that is text."""

    name = "escaped"
    title = "Escaped text"
    help = (
        "Any text: small letters and digits stay, a capital A becomes -ka, and - _ . / : and space become "
        "-- -u -d -s -c -b; every other character -x, its number in hexadecimal, and a hyphen."
    )
    example = ("Db_Password.Größe", "-kdb-u-kpassword-d-kgr-xf6--xdf-e")

    def _encoded(self, original: str) -> str:
        return "".join(map(self._one, original))

    def _one(self, character: str) -> str:
        if "a" <= character <= "z" or "0" <= character <= "9":
            return character
        if "A" <= character <= "Z":
            return f"-k{character.lower()}"
        if "\ud800" <= character <= "\udfff":
            raise ValueError("it holds half of a character")
        return _SHORT.get(character) or f"-x{ord(character):x}-"

    def _decoded(self, name: str) -> str:
        return _ESCAPE.sub(self._meant, name.lower())

    def _meant(self, found: re.Match[str]) -> str:
        if found["capital"]:
            return found["capital"].upper()
        return chr(int(found["number"], 16)) if found["number"] else _MEANT.get(found[0], "")


class Base32(Codec):
    """Anything ↔ letters and the digits 2 to 7."""

    name = "base32"
    title = "Base32"
    help = "Any text, up to 79 bytes of it: nobody can read the name, and nothing can happen to it."
    example = ("Db_Password", "irrf6udbonzxo33smq")

    def _encoded(self, original: str) -> str:
        try:
            return b32encode(original.encode()).decode().rstrip("=").lower()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a character") from None

    def _decoded(self, name: str) -> str:
        return b32decode(name.upper() + "=" * (-len(name) % 8)).decode()


_SHORT: Final = {"-": "--", "_": "-u", ".": "-d", "/": "-s", ":": "-c", " ": "-b"}
_MEANT: Final = {short: character for character, short in _SHORT.items()}
_ESCAPE: Final = re.compile(r"-(?:k(?P<capital>[a-z])|x(?P<number>[0-9a-f]{1,6})-|.?)", re.DOTALL)
CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {one.name: one for one in (Env(), DotNet(), DotNetVariable(), Path(), Escaped(), Base32())}
)


def codec(name: str) -> Codec:
    """The codec of this name. Raises FlowDefinitionError, naming those that there are."""
    if name not in CODECS:
        raise FlowDefinitionError(f"There is no codec {name}; there are: {', '.join(CODECS)}.")
    return CODECS[name]


def may_be_shown(text: str) -> bool:
    """Whether this can be a name: what stands in its place may be a value that slipped there."""
    return 0 < len(text) <= LONGEST_NAME_CHARACTERS and text.isprintable()


def _not_encodable(sentence: str) -> RecordError:
    return RecordError(sentence, code="name_not_encodable")


def _shown(text: str) -> str:
    return repr(text) if may_be_shown(text) else f"A text of {len(text)} characters"
