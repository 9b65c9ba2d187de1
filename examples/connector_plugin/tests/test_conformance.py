"""The connector keeps what the kit asks of every connector."""

from hashlib import sha256

import pytest
from environment_file.connector import EnvironmentFile

from connectors.connector import Access
from connectors.model import Connection, ReadOptions, Record, WriteOptions
from connectors.testing.conformance import ConnectorConformance, Subject
from iclients.clock import SystemClock
from iclients.secret import Secret


class TestEnvironmentFile(ConnectorConformance):
    @pytest.fixture
    def subject(self, tmp_path):
        (tmp_path / "in.env").write_text("# ours\n" + "".join(f"KEY_{n}='pl4nted {n}'\n" for n in range(250)))
        (tmp_path / "odd.env").write_bytes(b"KEY=pl4nted \xff\n")
        access = Access(SystemClock(), lambda data: sha256(data).hexdigest(), tmp_path)
        connector = EnvironmentFile(Connection("env", "environment-file", settings={"folder": "."}), access)
        options = WriteOptions(plaintext=True, fields=("name", "value"))
        nameless = Record("a-b", {"name": "a-b", "value": Secret("s4mple")})
        return Subject(
            connector=connector,
            planted=["pl4nted", "s4mple"],
            resource_to_read="in.env",
            expected_records=250,
            resource_to_write="out.env",
            write_options=options,
            samples=[Record(f"K{n}", {"name": f"K{n}", "value": Secret(f"s4mple {n}")}) for n in range(3)],
            snapshot=lambda: (tmp_path / "out.env").read_text() if (tmp_path / "out.env").exists() else None,
            failures={
                "a file elsewhere": lambda: connector.source("../x.env", ReadOptions()),
                "a file that is not UTF-8": lambda: list(connector.source("odd.env", ReadOptions()).pages(None)),
                "no plaintext": lambda: connector.target("x.env", WriteOptions()).begin(None, None),
                "a name that no variable has": lambda: connector.target("x.env", options).assess(nameless, None),
            },
        )
