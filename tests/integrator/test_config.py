from __future__ import annotations

import stat
from pathlib import Path

import pytest

from integrator.config import Config
from integrator.errors import BadUsage


def test_everything_lives_in_the_home_folder_unless_told_otherwise(tmp_path: Path) -> None:
    config = Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "data")})
    assert config.key_file == tmp_path / "data" / "seal.key"
    assert config.database_url is None
    assert config.public_url is None


def test_the_home_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "deep" / "data")})
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700


def test_without_a_home_the_data_folder_of_the_desktop_is_used(tmp_path: Path) -> None:
    assert Config.from_environment({"XDG_DATA_HOME": str(tmp_path)}).home == tmp_path / "integrator"


def test_without_any_variable_the_home_is_below_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Config.from_environment({}).home == tmp_path / ".local" / "share" / "integrator"


def test_variables_win_and_empty_ones_do_not_count(tmp_path: Path) -> None:
    config = Config.from_environment(
        {
            "INTEGRATOR_HOME": str(tmp_path),
            "INTEGRATOR_KEY_FILE": str(tmp_path / "elsewhere.key"),
            "INTEGRATOR_DATABASE_URL": "sqlite:////data/x.db",
            "INTEGRATOR_PUBLIC_URL": "",
        }
    )
    assert config.key_file == tmp_path / "elsewhere.key"
    assert config.database_url == "sqlite:////data/x.db"
    assert config.public_url is None


def test_a_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config.from_environment({"INTEGRATOR_HOME": "data"}).home == tmp_path / "data"


def test_a_public_url_loses_the_slash_at_its_end(tmp_path: Path) -> None:
    environ = {"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_PUBLIC_URL": "https://integrator.test/app/"}
    assert Config.from_environment(environ).public_url == "https://integrator.test/app"


@pytest.mark.parametrize(
    "url",
    [
        "https://integrator.test",
        "https://integrator.test:8443",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:65535/tools",
        "https://my_host/a/b-c.d~e_f",
        "https://xn--bcher-kva.test/.hidden/..x",
    ],
)
def test_a_public_url_is_a_scheme_a_host_a_port_and_a_path(tmp_path: Path, url: str) -> None:
    environ = {"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_PUBLIC_URL": url}
    assert Config.from_environment(environ).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "integrator.test",
        "ftp://integrator.test",
        "HTTPS://integrator.test",
        "https://",
        "https:///x",
        "https:integrator.test",
        "https://x/?a=b",
        "https://x?",
        "https://x/#",
        "https://user@integrator.test",
        "https://user:hunter2@integrator.test",
        "https://integrator.test:",
        "https://integrator.test:0",
        "https://integrator.test:x",
        "https://integrator.test:65536",
        "https://integrator.test:99999",
        "https://integrator.test:443:443",
        "https://integrator.test/\x1b[2J",
        "https://integrator.test/ a",
        " https://integrator.test",
        "https://integrator.test\n",
        "https://integrator.test/\r\nX: y",
        "https://integrator.test\\evil",
        "https://integrator.test/a\\b",
        "https://integrator.test/a//b",
        "https://integrator.test//",
        "https://integrator.test/..",
        "https://integrator.test/a/../b",
        "https://integrator.test/./",
        "https://integrator.test/%2e%2e",
        "https://integrator..test",
        "https://-x.test",
        "https://b\u00fccher.test",
        "https://integrator.test/b\u00fccher",
        "https://[::1",
        "https://[:::::]",
        "https://[x]",
    ],
)
def test_a_public_url_that_could_be_read_in_two_ways_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadUsage, match="INTEGRATOR_PUBLIC_URL is no address of a server: write it as") as refused:
        Config.from_environment({"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_PUBLIC_URL": url})
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadUsage, match="INTEGRATOR_HOME"):
        Config.from_environment({"INTEGRATOR_HOME": str(tmp_path / "file" / "home")})


def test_a_printed_configuration_does_not_show_the_databases_password(tmp_path: Path) -> None:
    url = "postgresql://user:hunter2@db/integrator"
    config = Config.from_environment({"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_DATABASE_URL": url})
    assert "hunter2" not in repr(config)


def test_addresses_to_return_to_are_listed(tmp_path: Path) -> None:
    environ = {"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_RETURN_URLS": "https://a.test, https://b.test/x"}
    assert Config.from_environment(environ).return_urls == ("https://a.test", "https://b.test/x")
    assert Config.from_environment({"INTEGRATOR_HOME": str(tmp_path)}).return_urls == ()


def test_an_address_to_return_to_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="INTEGRATOR_RETURN_URLS"):
        Config.from_environment({"INTEGRATOR_HOME": str(tmp_path), "INTEGRATOR_RETURN_URLS": "https://a.test *"})
