"""Power cuts, kills and full disks: the file is as it was, and a run that can go on goes on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_folder import Folder, settle

from iclients.errors import Recovery, RemoteError

WRITER = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path
    from connectors.connector import Access
    from connectors.files import Files
    from connectors.model import Connection, Known, Record, WriteOptions

    access = Access(None, lambda data: "", Path(sys.argv[1]))
    files = Files(Connection("here", "files", settings={"folder": "."}), access)
    target = files.target("x.csv", WriteOptions(fields=("name",)))
    target.begin(None, Known(owned=True))
    number = 0
    while True:
        page = [target.assess(Record("x", {"name": f"n{number + i}"}), None) for i in range(100)]
        number += 100
        print(json.dumps([number, target.settle(page)]), flush=True)
    """
)


@pytest.mark.kill
def test_a_killed_run_leaves_the_old_file_and_goes_on_from_its_partial(folder: Folder) -> None:
    known = folder.write("x.csv", [{"name": "old"}])
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder.path)], stdout=subprocess.PIPE) as writer:
        settled = [writer.stdout.readline() for _ in range(7)]
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    number, state = json.loads(settled[-1])
    assert folder.rows("x.csv") == [{"name": "old"}]
    with folder.target("x.csv", ["name"]) as target:
        assert target.begin(state, known)
        settle(target, [{"name": "last"}])
        target.finish()
    assert [row["name"] for row in folder.rows("x.csv")] == [f"n{index}" for index in range(number)] + ["last"]
    assert folder.partials == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_leaves_the_file_as_it_was_and_no_partial(small_disk: Path) -> None:
    _refuse_when_full(Folder(small_disk))


def test_a_file_that_may_not_grow_is_told_like_a_full_disk(folder: Folder) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        _refuse_when_full(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(folder: Folder) -> None:
    folder.path.chmod(0o500)
    try:
        with folder.target("x.csv") as target, pytest.raises(RemoteError, match=r"cannot be written in .*: Permission"):
            target.begin(None, None)
        with pytest.raises(RemoteError, match="change its permissions"):
            folder.files.ping()
    finally:
        folder.path.chmod(0o700)


def _refuse_when_full(folder: Folder) -> None:
    known = folder.write("x.csv", [{"name": "old"}])
    page = [{"name": "n" * 1000}] * 100
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, known)
        settle(target, page)
        with pytest.raises(RemoteError) as caught:
            for _ in range(3):
                settle(target, page)
    message = f"The disk of {folder.path} is full: free space, then run it again; x.csv is as it was."
    assert (str(caught.value), caught.value.code, caught.value.recovery) == (message, "disk_full", Recovery.ABORT)
    assert folder.rows("x.csv") == [{"name": "old"}]
    assert folder.partials == []
