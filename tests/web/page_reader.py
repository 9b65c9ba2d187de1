"""Reads a page as a browser's parser would: its elements with their attributes, its forms, its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

URLS = {"href", "src", "action", "formaction", "srcset", "data", "poster", "xlink:href", "cite", "ping", "background"}
REQUESTS = {"hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", "sse-connect", "hx-ws", "data-live"}
Element = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Form:
    """A form: where it leads, and its fields, each with name, type and value."""

    action: str
    method: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)

    def data(self, text: str) -> dict[str, str]:
        """What somebody sends who types this text wherever one can type."""
        kept = {"hidden", "checkbox", "radio", "submit", "button"}
        return {name: value if kind in kept else text for name, kind, value in self.fields if name}


class Page(HTMLParser):
    """One page that was read."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.forms: list[Form] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.elements.append((tag, tuple(sorted(told.items()))))
        if tag == "form":
            self.forms.append(Form(told.get("action", ""), told.get("method", "get").lower()))
        elif tag in ("input", "select", "textarea", "button") and self.forms:
            kind = told.get("type", "text") if tag == "input" else {"button": "submit"}.get(tag, tag)
            self.forms[-1].fields.append((told.get("name", ""), kind, told.get("value", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("<!-- -->", ()))

    def handle_decl(self, decl: str) -> None:
        self.elements.append(("<!>", (("", decl),)))

    def unknown_decl(self, data: str) -> None:
        self.elements.append(("<![ ]>", ()))

    def handle_pi(self, data: str) -> None:
        self.elements.append(("<? ?>", ()))

    def shape(self) -> Counter[tuple[str, tuple[str, ...]]]:
        """Elements with the names of their attributes, however they are ordered."""
        return Counter((tag, tuple(name for name, _ in attrs)) for tag, attrs in self.elements)

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Every attribute that leads somewhere, with its value."""
        for _, attrs in self.elements:
            yield from ((name, value) for name, value in attrs if name in URLS | REQUESTS)

    def shown(self) -> str:
        """All that can be read: words, and the values of attributes."""
        return "\n".join([*self.words, *(value for _, attrs in self.elements for _, value in attrs)])


def leads_elsewhere(name: str, address: str) -> bool:
    """Whether a browser would go, ask or run there what is no page of ours: another scheme, or, for what is asked for or
    sent without a click, another host."""
    cleaned = "".join(letter for letter in address if letter > " " and letter != "\x7f").replace("\\", "/")
    parts = urlsplit(cleaned if not cleaned.startswith("///") else cleaned[1:])
    is_ours = not parts.scheme and not parts.netloc and not cleaned.startswith("//")
    return not is_ours and not (name == "href" and parts.scheme == "https")
