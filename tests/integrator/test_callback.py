"""The receiver on loopback: whatever comes, there is a page, and standard error holds nothing of it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from connectors.errors import SettingsError
from integrator.callback import Judge, Page, receiving
from integrator.errors import UserError

DONE = Page(200, "Authorized", "Close this page.")


def accepted(callback: dict[str, list[str]]) -> Page:
    return DONE


def visited(redirect_uri: str, query: str) -> tuple[int, str]:
    parts = urlsplit(redirect_uri)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{query}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def said(redirect_uri: str, request: bytes) -> bytes:
    """What is answered to these bytes."""
    parts = urlsplit(redirect_uri)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "".join(capfd.readouterr()) == ""


def test_a_callback_is_judged_once() -> None:
    with receiving(None, accepted) as receiver:
        assert visited(receiver.redirect_uri, "code=x&state=y")[0] == 200
        assert receiver.answered.wait(10)
        status, page = visited(receiver.redirect_uri, "code=x&state=y")
    assert (status, "Too late" in page) == (400, True)


@pytest.mark.parametrize("query", ["a=b&" * 60, "&" * 60, "=" + "&a" * 51])
def test_more_parameters_than_any_provider_sends_are_400_and_the_waiting_goes_on(query: str) -> None:
    with receiving(None, accepted) as receiver:
        status, page = visited(receiver.redirect_uri, query)
        assert (status, "This is no callback" in page) == (400, True)
        assert not receiver.answered.is_set()
        assert visited(receiver.redirect_uri, "code=x&state=y")[0] == 200


def failing(error: Exception) -> Judge:
    def judge(callback: dict[str, list[str]]) -> Page:
        raise error

    return judge


def test_a_defect_has_a_page_without_its_text_and_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(RuntimeError, match="s3cret"), receiving(None, failing(RuntimeError("s3cret"))) as receiver:
        status, page = visited(receiver.redirect_uri, "code=c0de&state=y")
        assert receiver.answered.wait(10)
    assert (status, "Something unforeseen happened (RuntimeError at test_callback.py:" in page) == (500, True)
    assert "s3cret" not in page
    assert "c0de" not in page
    assert "Traceback" not in page


@pytest.mark.parametrize("error", [UserError("Mend it."), SettingsError("Mend it.")])
def test_what_a_person_can_mend_is_told_on_the_page(error: Exception) -> None:
    with pytest.raises(type(error)), receiving(None, failing(error)) as receiver:
        status, page = visited(receiver.redirect_uri, "code=x&state=y")
    assert (status, "Mend it." in page) == (500, True)


def test_a_sentence_that_is_no_text_has_a_page() -> None:
    with receiving(None, lambda callback: Page(200, "Authorized", "by \ud800")) as receiver:
        assert visited(receiver.redirect_uri, "code=x&state=y")[0] == 200


@pytest.mark.parametrize("target", [b"//[", b"http://[/callback", b"/callback/", b"/", b"/callbac%6b?code=x", b"*"])
def test_other_addresses_are_404(target: bytes) -> None:
    with receiving(None, accepted) as receiver:
        answer = said(receiver.redirect_uri, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 404 "), answer
        assert not receiver.answered.is_set()


def test_a_browser_that_goes_away_leaves_no_trace_and_ends_the_waiting() -> None:
    with receiving(None, accepted) as receiver:
        parts = urlsplit(receiver.redirect_uri)
        connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # closing resets the connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sendall(b"GET /callback?code=x HTTP/1.1\r\n\r\n")
        connection.close()
        with_body = visited(receiver.redirect_uri, "code=x&state=y")
        assert receiver.answered.wait(30)
    assert with_body[0] in (200, 400)
