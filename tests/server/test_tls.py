"""TLS in the server: which certificates it takes, what it encrypts, and how it takes new ones."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import signal
import ssl
import sys
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.conftest import TOKEN, serving
from tests.server.access_rules import access_of
from tests.server.certificates import NAME, Files, written
from tests.server.raw import GUARD_SECONDS, read_answer
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal
from web_terminal_suite.cli.serve import serve
from web_terminal_suite.client import Unreachable, connect
from web_terminal_suite.client.tls import client_context
from web_terminal_suite.server import tls
from web_terminal_suite.server.listener import StartFailed, adopt, url
from web_terminal_suite.server.self_signed import with_certificate
from web_terminal_suite.server.settings import Settings, SettingsError, check
from web_terminal_suite.server.worker.tls_handshake import Certificate

_REQUEST_SECONDS = 1


def flags_of(files: Files) -> tuple[str, ...]:
    return "--tls-cert", files.cert, "--tls-key", files.key


def settings_of(files: Files, **fields) -> Settings:
    return Settings(tls_cert=files.cert, tls_key=files.key, **fields)


# --- certificates


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    return written(tmp_path_factory.mktemp("tls"))


def test_a_certificate_that_fits_makes_a_context_of_tls_1_2_at_least(files):
    loaded = tls.load(settings_of(files))
    assert loaded.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert loaded.context.verify_mode == ssl.CERT_NONE
    assert loaded.valid_from < time.time() < loaded.valid_until
    tls.check(settings_of(files))


def test_key_and_certificate_may_be_in_one_file(files, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(Path(files.key).read_text() + Path(files.cert).read_text())
    tls.check(Settings(tls_cert=str(both)))


def test_a_certificate_of_another_time_is_refused_with_the_clock_s(tmp_path):
    expired = written(tmp_path, "expired", begins=-3, ends=-1)
    with pytest.raises(tls.TlsProblem, match=r"expired\.pem' expired on 20.* clock shows 20.*; renew it"):
        tls.check(settings_of(expired))
    coming = written(tmp_path, "coming", begins=1, ends=2)
    with pytest.raises(tls.TlsProblem, match=r"valid only from 20.* clock shows 20.*; set the clock"):
        tls.check(settings_of(coming))
    tls.check(settings_of(coming), time.time() + 36 * 3600)


def _broken(case: str, files: Files, directory: Path) -> Settings:
    """Settings with files of which one cannot be used."""
    given = settings_of(files)
    other = directory / "other"
    if case == "another key":
        return msgspec.structs.replace(given, tls_key=written(directory, "second").key)
    if case == "encrypted key":
        key = load_pem_private_key(Path(files.key).read_bytes(), None)
        other.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        return msgspec.structs.replace(given, tls_key=str(other))
    if case == "no key":
        return msgspec.structs.replace(given, tls_key="")
    if case == "a CA that is none":
        other.write_text("nothing")
        return msgspec.structs.replace(given, tls_client_ca=str(other))
    if case == "no PEM":
        other.write_text("nothing")
        return msgspec.structs.replace(given, tls_cert=str(other))
    name = case.removeprefix("missing ")
    return msgspec.structs.replace(given, **{name: str(directory / "nowhere")})


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("another key", r"server\.pem' does not fit tls_key .*second\.key'; give the key it was made for"),
        ("encrypted key", r"other' is encrypted, .*; give a key without one"),
        ("no key", r"server\.pem' cannot be used \(.*\); they must hold a certificate and its key in PEM"),
        ("no PEM", r"other' and tls_key .* cannot be used"),
        ("a CA that is none", r"tls_client_ca '.*other' holds no certificate in PEM"),
        ("missing tls_cert", r"tls_cert '.*nowhere': no such file"),
        ("missing tls_key", r"tls_key '.*nowhere': no such file"),
        ("missing tls_client_ca", r"tls_client_ca '.*nowhere': no such file"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_file(case, text, files, tmp_path):
    with pytest.raises(tls.TlsProblem, match=text):
        tls.load(_broken(case, files, tmp_path))


def test_a_certificate_of_a_client_is_refused(tmp_path):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    pem = serialization.Encoding.PEM
    whole = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = tmp_path / "both.pem"
    both.write_bytes(whole + made.sign(key, hashes.SHA256()).public_bytes(pem))
    with pytest.raises(tls.TlsProblem, match=r"both\.pem' is none of a server: unsuitable certificate purpose"):
        tls.load(Settings(tls_cert=str(both)))


def test_a_bad_certificate_ends_the_start_with_one_sentence(tmp_path):
    expired = written(tmp_path, begins=-3, ends=-1)
    result = CliRunner().invoke(serve, flags_of(expired))
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "expired on" in result.output


def test_changed_files_are_used_for_new_connections_and_bad_ones_are_not(tmp_path, caplog):
    first = written(tmp_path, "used")
    certificate = Certificate(settings_of(first))
    before = certificate.context
    certificate.renew()
    assert certificate.context is before
    Path(first.key).write_bytes(Path(written(tmp_path, "second").key).read_bytes())
    for _ in range(2):
        certificate.renew()
    assert certificate.context is before
    assert len([each for each in caplog.records if "does not fit" in each.message]) == 1
    Path(first.cert).unlink()
    certificate.renew()
    assert certificate.context is before
    renewed = written(tmp_path, "used", begins=-3, ends=-2)
    assert renewed == first
    certificate.renew()
    assert certificate.context is not before
    assert "expired on" in caplog.records[-1].message


# --- settings


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"host": "0.0.0.0"}, "reachable from other machines, and plain HTTP"),
        ({"tls_key": "k"}, "tls_key = 'k' has no use without tls_cert"),
        ({"tls_client_ca": "c"}, "tls_client_ca = 'c' has no use without tls_cert"),
        ({"tls_cert": "c", "tls_self_signed": True}, "exclude each other"),
        ({"public_url": "terminal.example.org"}, "is no address of a page"),
        ({"public_url": "https://a.example/#token=x"}, "is no address of a page"),
        ({"public_url": "https://a.example/term"}, "base_path is ''; make them equal"),
        ({"public_url": "http://a.example", "tls_cert": "c"}, "is not https, and this server speaks TLS"),
    ],
)
def test_settings_of_the_transport_that_do_not_go_together(fields, text):
    with pytest.raises(SettingsError, match=text):
        check(Settings(**fields))


def test_an_open_address_needs_tls_or_the_word_that_it_does_not():
    for fields in ({"insecure_plain_http": True}, {"tls_cert": "c"}, {"tls_self_signed": True}):
        check(Settings(host="0.0.0.0", **fields))


def test_a_socket_of_systemd_that_others_reach_needs_it_too():
    import socket

    with socket.create_server(("0.0.0.0", 0)) as listener:
        with pytest.raises(StartFailed, match=r"systemd's socket listens on 0\.0\.0\.0, .* plain HTTP"):
            adopt(Settings(), [listener])
        assert adopt(Settings(insecure_plain_http=True), [listener]) is listener


def test_the_public_url_is_printed_and_served():
    settings = check(Settings(public_url="https://Terminal.example.org/term/", base_path="/term", token="x" * 16))
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert url(settings, listener).startswith("https://Terminal.example.org/term/")
        assert url(Settings(tls_cert="c"), listener).startswith("https://127.0.0.1:")
    rules = access_of(settings, 7681)
    rules.check_host("terminal.example.org")
    rules.check_origin("https://terminal.example.org", "127.0.0.1:7681")


@pytest.mark.parametrize(
    ("fields", "prefix"),
    [
        ({}, ""),
        ({"tls_cert": "c"}, "__Host-"),
        ({"public_url": "https://a.example"}, "__Host-"),
        ({"public_url": "http://a.example"}, ""),
        ({"public_url": "https://a.example/term", "base_path": "/term"}, "__Secure-"),
    ],
)
def test_the_cookie_is_named_for_what_protects_it(fields, prefix):
    assert access_of(check(Settings(**fields)), 7681).cookie_name == f"{prefix}web_terminal_7681"


# --- a certificate of the server's own


def test_a_self_signed_certificate_is_kept_as_long_as_it_serves(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings, told = with_certificate(Settings(tls_self_signed=True, host="192.0.2.1"))
    tls.check(settings)
    assert f"SSL_CERT_FILE={settings.tls_cert}" in told
    assert (Path(settings.tls_key).stat().st_mode & 0o777) == 0o600
    made = x509.load_pem_x509_certificate(Path(settings.tls_cert).read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"127.0.0.1", "::1", "192.0.2.1"} <= {*map(str, names.get_values_for_type(x509.IPAddress))}
    assert with_certificate(Settings(tls_self_signed=True))[1] == told
    renamed, other = with_certificate(Settings(tls_self_signed=True, public_url="https://a.example"))
    assert other != told
    tls.check(renamed)
    Path(settings.tls_cert).write_text("nothing")
    tls.check(with_certificate(Settings(tls_self_signed=True))[0])


def test_without_cryptography_or_a_directory_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    with pytest.raises(tls.TlsProblem, match=r"tls_self_signed: '.*': not a directory"):
        with_certificate(Settings(tls_self_signed=True))
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(tls.TlsProblem, match=r"pip install 'web-terminal-suite\[tls\]'"):
        with_certificate(Settings(tls_self_signed=True))


# --- a server


@pytest.fixture(scope="module")
def server(files):
    with serving(*flags_of(files), "--request-timeout", str(_REQUEST_SECONDS)) as each:
        yield each


@pytest.fixture
def trusted(files, monkeypatch):
    """Let clients of ours trust the tests' CA."""
    monkeypatch.setenv("SSL_CERT_FILE", files.ca)
    client_context.cache_clear()
    yield
    client_context.cache_clear()


def client_side(files: Files, own: Files | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca)
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


@contextlib.asynccontextmanager
async def opened(port: int, context: ssl.SSLContext | None):
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection(NAME, port, ssl=context)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def asked(port: int, context: ssl.SSLContext | None, request: str, host: str = NAME):
    async with opened(port, context) as (reader, writer):
        writer.write(request.format(host=f"{host}:{port}").encode())
        return await read_answer(reader)


_HEALTH = "GET /api/v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


async def test_answers_over_tls_tell_browsers_to_stay_with_it(server, files):
    assert server.url.startswith("https://")
    answer = await asked(server.port, client_side(files), _HEALTH)
    assert answer.status == 200
    assert int(answer.header("strict-transport-security").removeprefix("max-age=")) > 180 * 86400
    local = await asked(server.port, client_side(files), _HEALTH, "localhost")
    assert local.header("strict-transport-security") is None


async def test_a_login_over_tls_sets_a_cookie_that_no_other_page_can(server, files):
    body = msgspec.json.encode({"token": TOKEN}).decode()
    head = "POST /api/v1/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    answer = await asked(
        server.port,
        client_side(files),
        f"{head}Content-Length: {len(body)}\r\n\r\n" + body.replace("{", "{{").replace("}", "}}"),
    )
    cookie = answer.header("set-cookie")
    assert cookie.startswith(f"__Host-web_terminal_{server.port}=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {each.strip() for each in cookie.split(";")}
    pair = cookie.partition(";")[0]
    me = await asked(
        server.port, client_side(files), f"GET /api/v1/me HTTP/1.1\r\nHost: {{host}}\r\nCookie: {pair}\r\n\r\n"
    )
    assert me.json()["user"] == "owner"
    out = await asked(
        server.port,
        client_side(files),
        f"POST /api/v1/logout HTTP/1.1\r\nHost: {{host}}\r\nCookie: {pair}\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n",
    )
    assert "Secure" in out.header("set-cookie")


async def test_a_session_over_tls(server, trusted):
    async with connect(server.url, token=TOKEN) as connection:
        await connection.attach()
        assert (await connection.run("echo hello")).output == b"hello\r\n"
        much = await connection.run("seq 200000")
        assert much.output.endswith(b"200000\r\n")
        assert len(much.output) == 200000 + len("".join(map(str, range(1, 200001)))) + 200000
        await connection.reconnect()
        assert (await connection.run("echo again")).output == b"again\r\n"
        await connection.close(destroy=True)


async def test_the_suite_measures_a_server_with_tls(server, trusted):
    terminal = RemoteWebTerminal(server.url, TOKEN)
    assert terminal.facts().url == f"{server.origin}/"
    async with terminal.launch() as running:
        assert await terminal.session_count(running) >= 0
        assert running.posix_shell


async def test_a_client_says_why_it_does_not_trust_a_server(server):
    client_context.cache_clear()
    with pytest.raises(Unreachable, match=r"certificate is not trusted: .*; .* name the CA's file in SSL_CERT_FILE"):
        async with connect(server.url, token=TOKEN):
            pass


async def test_a_client_says_that_a_server_speaks_no_tls(trusted):
    with serving() as plain, pytest.raises(Unreachable, match="no TLS: "):
        async with connect(plain.url.replace("http://", "https://"), token=TOKEN):
            pass


async def test_plain_http_on_the_port_is_told_so(server):
    answer = await asked(server.port, None, _HEALTH)
    assert (answer.status, answer.body) == (400, b"this port speaks TLS; use https:// instead of http://")


async def test_old_tls_is_refused(server, files):
    context = client_side(files)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asked(server.port, context, _HEALTH)


async def test_an_answer_before_the_end_of_a_request_arrives_over_tls(server, files):
    """TLS has no half-closed connection, and the client is still sending."""
    async with opened(server.port, client_side(files)) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"a" * 40_000 + b"\r\n\r\n")
        assert (await read_answer(reader)).status == 431
        assert await reader.read() == b""


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
async def test_a_handshake_that_does_not_end_is_cut(server, sent):
    async with opened(server.port, None) as (reader, writer):
        writer.write(sent)
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - began >= _REQUEST_SECONDS * 0.9


async def test_handshakes_count_as_strangers_from_their_first_packet(files):
    limits = ("--max-strangers", "4", "--max-strangers-per-address", "2", "--request-timeout", "20")
    with serving(*flags_of(files), *limits) as each:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                _reader, writer = await stack.enter_async_context(opened(each.port, None))
                writer.write(b"\x16")
            # Sent and accepted in order, so the fifth is one too many.
            reader, _writer = await stack.enter_async_context(opened(each.port, None))
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        answer = None
        while answer is None or answer.status != 200:
            with contextlib.suppress(ConnectionError, ssl.SSLError):  # those that left are counted a moment longer
                answer = await asked(each.port, client_side(files), _HEALTH)


async def test_clients_need_a_certificate_of_the_ca_where_one_is_named(files, tmp_path):
    own = written(tmp_path, "client")
    with serving(*flags_of(files), "--tls-client-ca", files.ca) as each:
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await asked(each.port, client_side(files), _HEALTH)
        assert (await asked(each.port, client_side(files, own), _HEALTH)).status == 200
        assert "peer did not return a certificate" in "".join(each.log)


async def _serial(port: int, files: Files) -> int:
    async with opened(port, client_side(files)) as (_reader, writer):
        found = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
        return found.serial_number


async def test_sighup_takes_a_new_certificate_and_keeps_sessions(tmp_path, monkeypatch):
    files = written(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", files.ca)
    client_context.cache_clear()
    with serving(*flags_of(files)) as each:
        first = await _serial(each.port, files)
        async with connect(each.url, token=TOKEN) as connection:
            await connection.attach()
            await connection.run("it=kept")
            new = written(tmp_path, "new")
            shutil.copy(new.key, files.key)
            shutil.copy(new.cert, files.cert)
            each.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(GUARD_SECONDS):
                while await _serial(each.port, files) == first:
                    await asyncio.sleep(0.05)
                while connection.closed is None:
                    await asyncio.sleep(0.05)
            await connection.reconnect()
            assert (await connection.run("echo $it")).output == b"kept\r\n"
            await connection.close(destroy=True)
    client_context.cache_clear()
