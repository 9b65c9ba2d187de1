"""The server under HTTP that is good, hasty, and no HTTP at all."""

import contextlib
import gc
import socket
import ssl
import threading
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.azure_key_vault.sandbox import PortTaken, Sandbox


class Line:
    """A raw TLS connection to a URL of the sandbox."""

    def __init__(self, client, url):
        self.where = urllib.parse.urlsplit(url)
        plain = socket.create_connection((self.where.hostname, self.where.port), timeout=10)
        self.tls = client.context.wrap_socket(plain, server_hostname=self.where.hostname)

    def request(self, path, token, *more):
        lines = (f"GET {path} HTTP/1.1", f"Host: {self.where.netloc}", f"Authorization: Bearer {token}", *more)
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def exchange(self, data):
        """Sends all, reads until the server closes or has nothing more to say for a moment."""
        self.tls.sendall(data)
        return self.rest()

    def rest(self):
        received = b""
        try:
            while piece := self.tls.recv(65_536):
                received += piece
        except OSError:
            pass
        return received

    def answers(self, count):
        """Reads so many answers; gives their bodies."""
        stream, bodies = self.tls.makefile("rb"), []
        for _ in range(count):
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            bodies.append(stream.read(length))
        stream.close()
        return bodies

    def close(self):
        self.tls.close()


@pytest.fixture
def line(client, sandbox):
    line = Line(client, sandbox.vault_url("contoso"))
    yield line
    line.close()


def test_one_connection_serves_many_requests(client, sandbox, line):
    sandbox.vault("contoso").put("s", "v")
    for _ in range(3):
        line.tls.sendall(line.request("/secrets/s?api-version=7.4", client.token()))
        assert b'"value":"v"' in line.answers(1)[0]


def test_pipelined_requests_are_answered_in_order_even_with_latency(client, sandbox, line):
    vault = sandbox.vault("contoso")
    for number in range(200):
        vault.put(f"s{number}", f"v{number}")
    token = client.token()
    sandbox.latency_seconds = 0.0005
    together = b"".join(line.request(f"/secrets/s{number}?api-version=7.4", token) for number in range(200))
    line.tls.sendall(together)
    assert [b'"value":"v%d"' % number in body for number, body in enumerate(line.answers(200))] == [True] * 200


def test_a_client_that_never_reads_does_not_fill_the_memory(client, sandbox, line):
    sandbox.vault("contoso").put("s", "x" * 25_600)
    line.tls.settimeout(0.3)
    together = line.request("/secrets/s?api-version=7.4", client.token()) * 40
    with pytest.raises(TimeoutError):
        for _ in range(2_000):
            line.tls.sendall(together)
    assert sandbox.vault("contoso").calls["get"] < 2_000


def test_connection_close_and_http_1_0_end_the_connection(client, sandbox, line):
    answer = line.exchange(line.request("/secrets?api-version=7.4", client.token(), "Connection: close"))
    assert b"\r\nConnection: close\r\n" in answer
    old = Line(client, sandbox.vault_url("contoso"))
    assert old.exchange(b"GET /secrets HTTP/1.0\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 401")
    old.close()


def test_a_chunked_body_is_read(client, sandbox, line):
    head = line.request("/secrets/s?api-version=7.4", client.token(), "Transfer-Encoding: chunked")
    body = b'5\r\n{"val\r\na\r\nue": "abc"\r\n1\r\n}\r\n0\r\n\r\n'
    line.tls.sendall(head.replace(b"GET ", b"PUT ", 1) + body)
    assert b'"value":"abc"' in line.answers(1)[0]


def test_a_client_that_expects_100_continue_gets_it(client, sandbox, line):
    head = line.request("/secrets/s?api-version=7.4", client.token(), "Expect: 100-continue", "Content-Length: 13")
    line.tls.sendall(head.replace(b"GET ", b"PUT ", 1))
    assert line.tls.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.tls.sendall(b'{"value":"x"}')
    assert b'"value":"x"' in line.answers(1)[0]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"\x00\x01\x02\x03\r\n\r\n", b"400"),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nBad Header: a\r\n\r\n", b"400"),
        (b"GET /secrets HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"HEAD /secrets HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"4"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_not_acceptable_http_is_refused_in_silence(line, capfd, data, status):
    assert line.exchange(data).startswith(b"HTTP/1.1 " + status)
    assert capfd.readouterr().err == ""


def test_a_body_that_is_too_big_ends_the_connection(client, sandbox, line, capfd):
    head = line.request("/secrets/s?api-version=7.4", client.token(), "Content-Length: 2000000")
    with contextlib.suppress(OSError):
        line.tls.sendall(head.replace(b"GET ", b"PUT ", 1) + b"x" * 2_000_000)
    answer = line.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert sandbox.vault("contoso").calls == {}
    assert capfd.readouterr().err == ""


def test_plain_http_on_the_tls_port_is_hung_up_on(sandbox, capfd):
    with socket.create_connection(("127.0.0.1", sandbox.port("contoso")), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP" not in plain.recv(1000)
    assert capfd.readouterr().err == ""


def test_a_client_that_does_not_trust_the_authority_is_let_go(sandbox, capfd):
    with (
        socket.create_connection(("127.0.0.1", sandbox.port("entra")), timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "::1",
        "contoso.vault.localhost",
        "contoso.vault.lab.test",
        "contoso.vault.azure.net",
        "login.microsoftonline.com",
        "management.azure.com",
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_certificate_holds_for_every_name(client, sandbox, name, version):
    client.context.minimum_version = client.context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", sandbox.port("entra")), timeout=10) as plain,
        client.context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        assert tls.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


@pytest.fixture(scope="module")
def fuzzed(new_client):
    with Sandbox.start(vaults={"contoso": 3}) as sandbox:
        yield new_client(sandbox)


REQUEST_LINES = st.builds(
    lambda method, target: f"{method} {target} HTTP/1.1\r\n".encode("latin-1"),
    st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=40).map(lambda text: "/" + text)
    | st.sampled_from(
        [
            "/secrets?api-version=7.4&$skiptoken=bnVsbA",
            "/secrets/restore?api-version=7.4",
            "/%00/%ff/..//",
            "/deletedsecrets//recover?api-version=7.4",
            "//",
            "/secrets/?api-version=7.4&maxresults=%f0",
        ]
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(REQUEST_LINES, st.binary(max_size=60), st.booleans())
def test_nothing_that_arrives_shows_on_standard_error(fuzzed, capfd, caplog, request_line, body, authorized):
    token = fuzzed.token() if authorized else body.hex()
    head = f"Host: 127.0.0.1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {token}\r\n\r\n"
    for url in (fuzzed.sandbox.authority, fuzzed.sandbox.arm, fuzzed.sandbox.vault_url("contoso")):
        line = Line(fuzzed, url)
        answer = line.exchange(request_line + head.encode() + body)
        line.close()
        assert answer.startswith(b"HTTP/1.1 ")
    assert capfd.readouterr().err == ""
    assert not caplog.records


# --- start and end --------------------------------------------------------------------------------


def test_ports_follow_the_first_in_order(start):
    first = _free_run(4)
    sandbox = start(vaults={"contoso": 0, "fabrikam": 0}, port=first)
    assert sandbox.authority == f"https://127.0.0.1:{first}"
    assert sandbox.arm == f"https://127.0.0.1:{first + 1}"
    assert sandbox.vault_url("contoso") == f"https://127.0.0.1:{first + 2}"
    assert sandbox.vault_url("fabrikam") == f"https://127.0.0.1:{first + 3}"


def test_a_taken_port_is_named(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)) as caught:
            start(vaults={}, port=port)
        assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("port", [65_535, 70_000])
def test_a_port_beyond_the_last_is_an_error(start, port):
    with pytest.raises(PortTaken):
        start(vaults={"contoso": 0}, port=port)


@pytest.mark.parametrize("name", ["ab", "1abc", "a--b", "abc-", "x" * 25, "a_b", "arm", "entra", ""])
def test_a_vault_needs_a_name_that_azure_would_take(start, name):
    with pytest.raises(ValueError):
        start(vaults={name: 0})


def test_closing_with_connections_in_every_state_leaves_nothing_behind(start, new_client, recwarn):
    sandbox = start(vaults={"contoso": 1})
    client = new_client(sandbox)
    before = threading.active_count()
    client.token()
    silent = socket.create_connection(("127.0.0.1", sandbox.port("contoso")))
    idle = Line(client, sandbox.vault_url("contoso"))
    waiting = Line(client, sandbox.vault_url("contoso"))
    sandbox.faults.add("stall", seconds=60)
    waiting.tls.sendall(waiting.request("/secrets?api-version=7.4", client.token()))
    half = Line(client, sandbox.vault_url("contoso"))
    half.tls.sendall(b"PUT /secrets/s HTTP/1.1\r\nContent-Le")
    sandbox.close()
    sandbox.close()
    assert threading.active_count() == before - 1
    assert not sandbox.ca_file.exists()
    for line in (idle, waiting, half):
        assert line.rest() == b""
        line.close()
    silent.close()
    gc.collect()
    assert not recwarn.list


def test_a_folder_of_ones_own_keeps_the_ca(start, tmp_path):
    sandbox = start(vaults={}, folder=tmp_path)
    sandbox.close()
    assert (tmp_path / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")


def _free_run(count):
    """The first of so many consecutive free ports."""
    for port in range(20_000, 60_000, 101):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        else:
            return port
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no free ports")
