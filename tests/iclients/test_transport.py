"""Every exchange ends: with one whole answer, or with an error that says whether anything can have happened."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Conversation, Script, ScriptedServer, always, answer_bytes, raw

from iclients.answers import Answer
from iclients.errors import AnswerLost, DeadlineExceeded, MalformedAnswer, NotSent, Recovery, TransportError
from iclients.transport import Address, Transport, reach

Serve = Callable[[Script], ScriptedServer]


def get(transport: Transport, server: ScriptedServer, **options: float) -> Answer:
    return transport.exchange("GET", f"{server.url}/thing", {}, **options)  # type: ignore[arg-type]


# --- whole answers ---


def test_an_answer_has_status_headers_and_body(serve: Serve, transport: Transport) -> None:
    server = serve(always(b'{"a": 1}', "201 Created", X_Request="7"))
    answer = get(transport, server)
    assert (answer.status, answer.body) == (201, b'{"a": 1}')
    assert (answer.headers["content-type"], answer.headers["x-request"]) == ("application/json", "7")


def test_an_answers_repr_does_not_show_its_body(serve: Serve, transport: Transport) -> None:
    assert "canary" not in repr(get(transport, serve(always(b"canary"))))


def test_a_request_carries_host_length_headers_query_and_body(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    transport.exchange("PUT", f"{server.url}/a/b?x=1#part", {"X-One": "1"}, b"body")
    request = server.requests[0]
    assert request.line == "PUT /a/b?x=1 HTTP/1.1"
    assert request.headers == {"host": f"127.0.0.1:{server.port}", "x-one": "1", "content-length": "4"}
    assert request.body == b"body"


def test_an_address_without_a_path_asks_for_the_root(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    transport.exchange("GET", f"{server.url}?x=1", {})
    assert server.requests[0].line == "GET /?x=1 HTTP/1.1"


def test_a_post_without_a_body_says_that_it_is_empty(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    transport.exchange("POST", server.url, {})
    assert server.requests[0].headers["content-length"] == "0"


def test_a_large_request_arrives_whole(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    body = bytes(range(256)) * 1024
    transport.exchange("PUT", server.url, {}, body)
    assert server.requests[0].body == body


def test_a_chunked_answer_is_put_together(serve: Serve, transport: Transport) -> None:
    chunks = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;note=x\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    assert get(transport, serve(raw(chunks))).body == b"abcde"


def test_a_body_until_the_end_of_the_stream_is_whole_after_a_goodbye(serve: Serve, transport: Transport) -> None:
    answer = get(transport, serve(raw(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")))
    assert answer.body == b"until the end"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_is_whole_at_once(serve: Serve, transport: Transport, status: str) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        conversation.pause(10)

    assert get(transport, serve(script)).body == b""


@pytest.mark.parametrize("informational", ["100 Continue", "103 Early Hints"])
def test_what_comes_before_the_answer_is_passed_over(serve: Serve, transport: Transport, informational: str) -> None:
    before = f"HTTP/1.1 {informational}\r\nX-Before: 1\r\n\r\n".encode()
    answer = get(transport, serve(raw(before * 2 + answer_bytes(b"after"))))
    assert (answer.status, answer.body) == (200, b"after")
    assert "x-before" not in answer.headers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve, transport: Transport, status: str) -> None:
    elsewhere = serve(always())
    server = serve(always(b"", status, Location=elsewhere.url))
    assert get(transport, server).status == int(status[:3])
    assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_an_answer_in_small_pieces_is_the_same_answer(serve: Serve, transport: Transport, size: int) -> None:
    whole = answer_bytes(b'{"a": "whole"}')

    def script(conversation: Conversation) -> None:
        conversation.request()
        for start in range(0, len(whole), size):
            conversation.send(whole[start : start + size])

    assert get(transport, serve(script)).body == b'{"a": "whole"}'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("\u0663", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_where_it_is_a_number_of_seconds(text: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": text}, b"").retry_after_seconds == seconds


# --- answers that are not whole, or not answers ---


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_a_cut_answer_is_lost_even_when_the_server_says_goodbye(
    serve: Serve, transport: Transport, sent: bytes
) -> None:
    with pytest.raises(AnswerLost, match="broke before the answer was whole") as caught:
        get(transport, serve(raw(sent)))
    assert caught.value.recovery is Recovery.RETRY
    assert not isinstance(caught.value, DeadlineExceeded)


def test_a_body_until_the_end_that_somebody_may_have_cut_is_lost(serve: Serve, transport: Transport) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the")
        conversation.stream.shutdown(socket.SHUT_RDWR)

    with pytest.raises(AnswerLost):
        get(transport, serve(script))


def test_a_reset_after_the_request_was_read_is_a_lost_answer(serve: Serve, transport: Transport) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.reset()

    server = serve(script)
    with pytest.raises(AnswerLost):
        get(transport, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage that is no HTTP\r\n\r\n",
        b"\x00\x01\x02\x03" * 20,
        b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\n folded: no\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n\x81\x01a",
        answer_bytes(b"ok") + answer_bytes(b"evil", "500 Other"),
        answer_bytes(b"ok") + b"HTTP/1.1 2",
    ],
    ids=lambda sent: ascii(sent[:24].decode("latin-1")),
)
def test_what_http_does_not_allow_is_malformed(serve: Serve, transport: Transport, sent: bytes) -> None:
    with pytest.raises(MalformedAnswer, match=r"127\.0\.0\.1 sent "):
        get(transport, serve(raw(sent)))


@pytest.mark.parametrize("framing", ["Content-Length: 99999999", "Transfer-Encoding: chunked", "X-None: 1"])
def test_a_huge_answer_is_refused_before_it_is_read(serve: Serve, ca_file: Path, framing: str) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        while True:
            conversation.send(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")

    transport = Transport(ca_file, max_answer_bytes=200_000)
    with pytest.raises(MalformedAnswer, match="more than 200000 bytes") as caught:
        get(transport, serve(script))
    assert (caught.value.code, caught.value.recovery) == ("answer_too_large", Recovery.ABORT)


def test_endless_headers_are_refused(serve: Serve, ca_file: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            conversation.send(b"X-More: " + b"x" * 8000 + b"\r\n")

    with pytest.raises(MalformedAnswer, match="more than"):
        get(Transport(ca_file, max_answer_bytes=100_000), serve(script))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_fail_otherwise(data: bytes) -> None:
    from iclients.answers import AnswerParser

    parser = AnswerParser(10_000)
    try:
        parser.feed(b"HTTP/1.1 200 OK\r\n" + data, "host")
        parser.end_of_stream("host")
    except (MalformedAnswer, AnswerLost):
        pass


# --- time ---


@pytest.mark.parametrize(
    "dripped",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 500,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    ],
    ids=["headers", "informational answers"],
)
def test_the_deadline_holds_against_dripped_headers(serve: Serve, transport: Transport, dripped: bytes) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.drip(dripped)

    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="did not answer in time"):
        get(transport, serve(script), deadline_seconds=0.25)
    assert 0.2 < time.monotonic() - started < 2


def test_the_deadline_holds_against_a_dripped_body(serve: Serve, transport: Transport) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        conversation.drip(b"x" * 500)

    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        get(transport, serve(script), deadline_seconds=0.25)
    assert time.monotonic() - started < 2


def test_the_deadline_holds_against_a_server_that_does_not_read(serve: Serve, transport: Transport) -> None:
    server = serve(lambda conversation: conversation.pause(10))
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        transport.exchange("PUT", server.url, {}, b"x" * 20_000_000, deadline_seconds=0.3)
    assert time.monotonic() - started < 2


def test_the_deadline_holds_against_a_silent_handshake(ca_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotSent) as caught:
        Transport(ca_file).exchange("GET", f"https://127.0.0.1:{silent.getsockname()[1]}", {}, deadline_seconds=0.2)
    assert caught.value.recovery is Recovery.RETRY


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that answers no attempt to connect: whoever waits there already fills its queue."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()


def seconds_until_reached(addresses: list[Address], seconds: float) -> float:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        reach(addresses, started + seconds)
    return time.monotonic() - started


def test_the_deadline_holds_for_all_addresses_of_a_host_together(silent: tuple[str, int]) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, silent)
    assert seconds_until_reached([address] * 8, 0.4) < 0.8


def test_an_address_that_is_silent_leaves_time_for_the_next(serve: Serve, silent: tuple[str, int]) -> None:
    server = serve(always())
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    addresses: list[Address] = [(*kind, silent), (*kind, ("127.0.0.1", server.port))]
    with reach(addresses, time.monotonic() + 1.0) as plain:
        assert plain.getpeername()[1] == server.port


def test_a_silent_address_is_named_with_the_time_it_was_given(transport: Transport, silent: tuple[str, int]) -> None:
    with pytest.raises(NotSent, match="did not answer within") as caught:
        transport.exchange("GET", f"https://127.0.0.1:{silent[1]}", {}, deadline_seconds=0.2)
    assert (caught.value.code, caught.value.recovery) == ("connect_timeout", Recovery.RETRY)


def test_an_expired_deadline_sends_nothing(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    get(transport, server)
    with pytest.raises(TransportError):
        get(transport, server, deadline_seconds=0.0)
    assert len(server.requests) == 1


# --- connections ---


def test_one_connection_serves_many_exchanges(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    for _ in range(5):
        get(transport, server)
    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize(
    "sent",
    [
        answer_bytes(b"{}", Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ],
)
def test_a_connection_that_the_server_ends_is_not_used_again(serve: Serve, transport: Transport, sent: bytes) -> None:
    server = serve(raw(sent))
    assert [get(transport, server).body for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 3


def test_an_idle_connection_that_the_server_closed_is_not_used(serve: Serve, transport: Transport) -> None:
    closed = threading.Event()

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.answer(b"%d" % conversation.number)
        conversation.goodbye()
        conversation.stream.close()
        closed.set()

    server = serve(script)
    for number in (b"1", b"2", b"3"):
        assert get(transport, server).body == number
        assert closed.wait(5)
        closed.clear()


def test_an_unasked_answer_on_an_idle_connection_is_never_taken_for_ours(serve: Serve, transport: Transport) -> None:
    sent = threading.Event()

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.answer(b"ours")
        if conversation.number == 1:
            conversation.answer(b"unasked")
        sent.set()
        conversation.request()

    server = serve(script)
    assert get(transport, server).body == b"ours"
    assert sent.wait(5)
    assert get(transport, server).body == b"ours"
    assert server.connections == 2


def test_a_failed_exchange_does_not_leave_its_connection_behind(serve: Serve, transport: Transport) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        if conversation.number == 1:
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            conversation.pause(10)
        conversation.answer(b"fresh")

    server = serve(script)
    with pytest.raises(DeadlineExceeded):
        get(transport, server, deadline_seconds=0.2)
    assert get(transport, server).body == b"fresh"


def test_many_threads_share_a_transport_and_each_gets_its_own_answer(serve: Serve, transport: Transport) -> None:
    def script(conversation: Conversation) -> None:
        while True:
            conversation.answer(conversation.request().line.split()[1].encode())

    server = serve(script)
    paths = [f"/{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: transport.exchange("GET", server.url + path, {}).body.decode(), paths))
    assert answers == paths
    assert server.connections <= 8


def test_closing_leaves_no_socket_open_and_the_transport_works_again(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    get(transport, server)
    transport.close()
    gc.collect()
    assert get(transport, server).status == 200
    assert server.connections == 2


# --- requests that do not leave ---


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "ftp://127.0.0.1/",
        "127.0.0.1",
        "",
        "https://",
        "https:///path",
        "https://user@127.0.0.1/",
        "https://user:canary@127.0.0.1/",
        "https://127.0.0.1:99999/",
        "https://127.0.0.1:port/",
        "https://127.0.0.1:0/",
        "https://[::1/",
        "https://127.0.0.1/a b",
        "https://127.0.0.1/a\r\nX-Evil: 1",
        "https://127.0.0.1/a\nX-Evil:1",
        "https://127.0.0.1/a\tb",
        "https://127.0.0.1/\x00",
        "https://127.0.0.1/\u00fc",
        "https://b\u00fccher.test/",
    ],
)
def test_what_is_no_plain_https_address_is_not_sent(transport: Transport, url: str) -> None:
    with pytest.raises(NotSent) as caught:
        transport.exchange("GET", url, {})
    assert caught.value.recovery is Recovery.ABORT
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer a\r\nX-Evil: 1"},
        {"Authorization": "Bearer a\nX-Evil: 1"},
        {"Authorization": "Bearer a\rX-Evil: 1"},
        {"Authorization": "Bearer a\x00"},
        {"Authorization": "Bearer \u00fc"},
        {"X\r\nX-Evil": "1"},
    ],
)
def test_a_header_cannot_smuggle_another(serve: Serve, transport: Transport, headers: dict[str, str]) -> None:
    server = serve(always())
    with pytest.raises(NotSent, match="HTTP does not allow") as caught:
        transport.exchange("GET", server.url, headers)
    assert server.connections == 0
    assert "Evil" not in str(caught.value)


def test_a_method_cannot_smuggle_a_header(serve: Serve, transport: Transport) -> None:
    server = serve(always())
    with pytest.raises(NotSent):
        transport.exchange("GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET", server.url, {})
    assert server.connections == 0


def test_a_certificate_of_an_unknown_authority_is_a_sentence_with_the_next_step(serve: Serve) -> None:
    server = serve(always())
    with pytest.raises(NotSent, match=rf"127\.0\.0\.1:{server.port} is not trusted .*ca_file") as caught:
        get(Transport(), server)
    assert (caught.value.code, caught.value.recovery) == ("certificate_not_trusted", Recovery.ABORT)
    assert server.requests == []


def test_a_certificate_of_another_name_is_not_trusted(server_tls: ssl.SSLContext, transport: Transport) -> None:
    with ScriptedServer(server_tls, always(), "127.0.0.2") as server:
        with pytest.raises(NotSent, match="not trusted"):
            get(transport, server)
        assert server.requests == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid", "a..invalid", ".invalid"])
def test_an_unknown_host_is_named(transport: Transport, host: str) -> None:
    with pytest.raises(NotSent, match=f"The host {host} has no address: check ") as caught:
        transport.exchange("GET", f"https://{host}/", {})
    assert caught.value.code == "host_not_found"


def test_a_refused_port_is_named(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent, match=rf"127\.0\.0\.1:{port} cannot be reached \(Connection refused\)") as caught:
        transport.exchange("GET", f"https://127.0.0.1:{port}/", {})
    assert caught.value.recovery is Recovery.RETRY


def test_a_server_without_tls_is_a_sentence_of_its_own(transport: Transport) -> None:
    def plain(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=plain, args=(listening,))
        thread.start()
        with pytest.raises(NotSent, match="ended the TLS handshake"):
            transport.exchange("GET", f"https://127.0.0.1:{listening.getsockname()[1]}/", {})
        thread.join(5)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_cannot_be_read_is_named(serve: Serve, tmp_path: Path, content: bytes | None) -> None:
    ca_file = tmp_path / "lab-ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    server = serve(always())
    with pytest.raises(NotSent, match=r"lab-ca\.pem cannot be read") as caught:
        get(Transport(ca_file), server)
    assert (caught.value.code, caught.value.recovery) == ("ca_file", Recovery.ABORT)
    assert server.connections == 0
