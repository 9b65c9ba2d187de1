"""A file is as it was until it is replaced whole, and only by whom it belongs to."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from files_folder import settle

from connectors.connector import Access
from connectors.errors import RecordError, RunRefused, SettingsError
from connectors.files import Files
from connectors.model import Connection, Effect, Known, Record, WriteOptions
from iclients.clock import SystemClock
from iclients.errors import Recovery, RemoteError
from iclients.secret import Secret


def test_csv_is_written_with_its_header_and_formulas_guarded(folder) -> None:
    rows = [
        {"name": "a", "value": Secret("=1+1"), "note": None},
        {"name": "b", "value": Secret('say "hi", twice\n'), "note": True},
        {"name": "-c", "value": Secret("'x"), "note": {"k": ["ü", 1]}},
        {"name": "d", "value": Secret("\tx\ry"), "note": -1.5},
    ]
    folder.write("x.csv", rows)
    assert (folder.path / "x.csv").read_bytes().decode() == (
        "name,value,note\n"
        "a,'=1+1,\n"
        'b,"say ""hi"", twice\n",true\n'
        '\'-c,\'\'x,"{""k"":[""ü"",1]}"\n'
        "d,\"'\tx\ry\",'-1.5\n"
    )


def test_columns_are_those_that_the_mapping_names(folder) -> None:
    folder.write("x.csv", [{"b": 1, "c": 2}], fields=("a", "b"))
    assert (folder.path / "x.csv").read_text() == "a,b\n,1\n"


def test_json_lines_are_compact_and_keep_types(folder) -> None:
    folder.write("x.jsonl", [{"name": "ü", "value": Secret("v"), "n": 1, "t": {"x": None}}, {"name": "\ud800"}])
    assert (folder.path / "x.jsonl").read_text("utf-8") == (
        '{"name":"ü","value":"v","n":1,"t":{"x":null}}\n{"name":"\\ud800"}\n'
    )


def test_a_file_without_records_is_made(folder) -> None:
    folder.write("x.csv", [])
    folder.write("x.jsonl", [])
    assert folder.rows("x.csv") == folder.rows("x.jsonl") == []


def test_the_ledger_learns_what_was_written(folder) -> None:
    known = folder.write("x.csv", [{"name": "a"}])
    path = folder.path / "x.csv"
    status = path.stat()
    digest = hashlib.sha256(path.read_bytes()).digest()
    assert known.owned
    assert known.fingerprint == hashlib.sha256(digest).hexdigest()
    assert known.marker == f"{status.st_size}:{status.st_mtime_ns}"


def test_a_file_that_no_flow_of_ours_wrote_is_left_alone(folder) -> None:
    path = folder.put("contoso.csv", "mine\n")
    sentence = f"contoso.csv exists in {folder.path} and no flow of ours wrote it: move it away, or set adopt: true."
    for known in (None, Known(owned=False)):
        with folder.target("contoso.csv") as target, pytest.raises(RunRefused) as caught:
            target.begin(None, known)
        assert str(caught.value) == sentence
    assert path.read_text() == "mine\n"
    assert folder.partials == []


@pytest.mark.parametrize(("known", "adopt"), [(Known(owned=True), False), (None, True)])
def test_an_own_or_adopted_file_is_replaced(folder, known: Known | None, adopt: bool) -> None:
    folder.put("x.csv", "old\n")
    folder.write("x.csv", [{"name": "a"}], known, adopt=adopt)
    assert folder.rows("x.csv") == [{"name": "a"}]


def test_a_file_that_appears_during_the_run_is_left_alone(folder) -> None:
    with folder.target("x.csv") as target:
        target.begin(None, None)
        state = settle(target, [{"name": "a"}])
        path = folder.put("x.csv", "mine\n")
        with pytest.raises(RunRefused, match="no flow of ours wrote it"):
            target.finish()
    assert path.read_text() == "mine\n"
    path.unlink()
    with folder.target("x.csv") as target:
        assert target.begin(state, None)
        target.finish()
    assert folder.rows("x.csv") == [{"name": "a", "value": ""}]


def test_a_file_that_somebody_changed_since_it_was_written_is_left_alone(folder) -> None:
    known = folder.write("contoso.csv", [{"name": "a"}])
    path = folder.put("contoso.csv", "name\nb\n")
    os.utime(path, ns=(1, 1))
    sentence = (
        f"contoso.csv in {folder.path} was changed since a flow of ours wrote it: move it away, or set adopt: true."
    )
    with folder.target("contoso.csv") as target, pytest.raises(RunRefused) as caught:
        target.begin(None, known)
    assert str(caught.value) == sentence
    assert path.read_text() == "name\nb\n"
    folder.write("contoso.csv", [{"name": "c"}], known, adopt=True)
    assert folder.rows("contoso.csv") == [{"name": "c"}]


@pytest.mark.parametrize("adopt", [False, True])
def test_a_file_that_was_only_touched_or_taken_away_is_still_ours(folder, adopt: bool) -> None:
    known = folder.write("x.csv", [{"name": "a"}])
    os.utime(folder.path / "x.csv", ns=(1, 1))
    known = folder.write("x.csv", [{"name": "b"}], known, adopt=adopt)
    (folder.path / "x.csv").unlink()
    folder.write("x.csv", [{"name": "c"}], known, adopt=adopt)
    assert folder.rows("x.csv") == [{"name": "c"}]


def test_a_file_that_somebody_changes_during_the_run_is_left_alone(folder) -> None:
    known = folder.write("x.csv", [{"name": "a"}])
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, known)
        settle(target, [{"name": "new"}])
        path = folder.put("x.csv", "mine\n")
        with pytest.raises(RunRefused, match="was changed since a flow of ours wrote it"):
            target.finish()
    assert path.read_text() == "mine\n"


def test_what_is_in_the_way_and_is_no_file_is_left_alone(folder) -> None:
    known = folder.write("x.csv", [{"name": "a"}])
    (folder.path / "x.csv").unlink()
    os.mkfifo(folder.path / "x.csv")
    with folder.target("x.csv") as target, pytest.raises(RunRefused, match="was changed since"):
        target.begin(None, known)


def test_an_own_file_that_was_replaced_is_known_again_by_the_run_that_died_before_noting_it(folder) -> None:
    known = folder.write("x.csv", [{"name": "old"}])
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, known)
        state = settle(target, [{"name": "new"}])
        target.finish()
    for _ in range(2):
        with folder.target("x.csv", ["name"]) as target:
            assert target.begin(state, known)
            noted = target.finish()
    folder.write("x.csv", [{"name": "newest"}], noted)
    assert folder.rows("x.csv") == [{"name": "newest"}]


def test_a_folder_of_the_same_name_is_left_alone(folder) -> None:
    (folder.path / "x.csv").mkdir()
    with folder.target("x.csv", adopt=True) as target, pytest.raises(RunRefused, match="is a folder"):
        target.begin(None, None)


@pytest.mark.parametrize("value", [Secret("s3cret"), {"inner": [Secret("s3cret")]}])
def test_a_secret_is_refused_without_plaintext_before_anything_is_there(folder, value: object) -> None:
    with folder.target("x.jsonl", plaintext=False) as target:
        target.begin(None, None)
        with pytest.raises(RunRefused, match=r"The field value .* plaintext: true") as caught:
            target.assess(Record("a", {"name": "a", "value": value}), None)
    assert "s3cret" not in str(caught.value)
    assert list(folder.path.iterdir()) == []


def test_a_plaintext_file_and_every_partial_is_for_its_owner_alone(folder) -> None:
    with folder.target("x.csv", plaintext=True) as target:
        target.begin(None, None)
        settle(target, [{"name": "a"}])
        assert stat.S_IMODE(folder.partials[0].stat().st_mode) == 0o600
        target.finish()
    assert stat.S_IMODE((folder.path / "x.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_without_secrets_is_as_open_as_the_umask_allows(folder, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        folder.write("x.csv", [{"name": "a"}], plaintext=False)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder.path / "x.csv").stat().st_mode) == mode


def test_the_file_is_as_it_was_until_the_run_is_complete(folder) -> None:
    known = folder.write("x.csv", [{"name": "old"}])
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, known)
        settle(target, [{"name": "new"}])
        assert folder.rows("x.csv") == [{"name": "old"}]
        target.finish()
    assert folder.rows("x.csv") == [{"name": "new"}]
    assert folder.partials == []


def test_a_run_goes_on_where_it_settled_and_cuts_off_what_came_after(folder) -> None:
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, None)
        state = json.loads(json.dumps(settle(target, [{"name": "a"}])))
        settle(target, [{"name": "lost"}])
    with folder.target("x.csv", ["name"]) as target:
        assert target.begin(state, None)
        settle(target, [{"name": "b"}])
        target.finish()
    assert folder.rows("x.csv") == [{"name": "a"}, {"name": "b"}]
    assert folder.partials == []


def test_a_run_starts_over_when_its_partial_is_gone_or_shorter(folder) -> None:
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, None)
        state = settle(target, [{"name": "a"}])
    with folder.target("x.csv", ["name"]) as target:
        assert not target.begin({**state, "offset": state["offset"] + 1}, None)
    folder.partials[0].unlink()
    with folder.target("x.csv", ["name"]) as target:
        assert not target.begin(state, None)
        assert target.begin(None, None)
        target.finish()
    assert folder.rows("x.csv") == []


def test_a_run_does_not_go_on_with_a_file_that_is_no_partial_of_its_target(folder) -> None:
    folder.put("other.csv", "name\na\n")
    with folder.target("x.csv", ["name"]) as target:
        assert not target.begin({"partial": "other.csv", "offset": 3, "mtime_ns": 0}, None)
    assert (folder.path / "other.csv").read_text() == "name\na\n"


def test_a_run_that_died_between_replacing_and_noting_it_ends_well(folder) -> None:
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, None)
        state = settle(target, [{"name": "a"}])
        target.finish()
    for _ in range(2):
        with folder.target("x.csv", ["name"]) as target:
            assert target.begin(state, None)
            assert target.finish().owned
    assert folder.rows("x.csv") == [{"name": "a"}]


def test_a_frozen_process_that_wakes_late_writes_nothing_into_the_run_that_took_over(folder) -> None:
    with folder.target("x.csv", ["name"]) as frozen, folder.target("x.csv", ["name"]) as taker:
        frozen.begin(None, None)
        state = settle(frozen, [{"name": "a"}])
        assert taker.begin(state, None)
        settle(frozen, [{"name": "late"}])
        with pytest.raises(RemoteError, match="Another run took over") as caught:
            frozen.finish()
        assert caught.value.recovery is Recovery.ABORT
        settle(taker, [{"name": "b"}])
        taker.finish()
    assert folder.rows("x.csv") == [{"name": "a"}, {"name": "b"}]


def test_an_older_partial_that_nobody_resumes_is_removed(folder) -> None:
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, None)
        settle(target, [{"name": "a"}])
    other = folder.put(".y.csv.0123456789abcdef.partial", "another target's")
    assert len(folder.partials) == 2
    folder.write("x.csv", [{"name": "b"}])
    assert folder.partials == [other]


def test_a_partial_that_settled_nothing_is_removed_at_the_end(folder) -> None:
    with folder.target("x.csv") as target:
        target.begin(None, None)
        assert len(folder.partials) == 1
    assert folder.partials == []


def test_rows_stand_in_page_order_and_only_those_that_write(folder) -> None:
    with folder.target("x.csv", ["name"]) as target:
        target.begin(None, None)
        changes = [target.assess(Record("x", {"name": name}), None) for name in "abc"]
        changes[1].effect = Effect.SKIPPED
        target.settle(changes)
        target.finish()
    assert folder.rows("x.csv") == [{"name": "a"}, {"name": "c"}]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x.csv", "\ud800", "not_utf8"),
        ("x.csv", Secret("\ud800"), "not_utf8"),
        ("x.csv", "x" * (1024 * 1024 + 1), "too_long"),
        ("x.csv", object(), "not_writable"),
        ("x.jsonl", object(), "not_writable"),
        ("x.jsonl", float("nan"), "not_writable"),
        ("x.jsonl", ["x" * 1024] * 17_000, "too_long"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_record_that_the_file_cannot_hold_is_refused_alone(folder, name: str, value: object, code: str) -> None:
    with folder.target(name) as target:
        target.begin(None, None)
        with pytest.raises(RecordError) as caught:
            target.assess(Record("a", {"name": "a", "value": value}), None)
    assert caught.value.code == code


@pytest.mark.parametrize("fields", [("a", "a"), ("a", ""), ("a", "\ud800")])
def test_columns_that_no_header_can_have_are_refused(folder, fields: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError):
        folder.files.target("x.csv", WriteOptions(fields=fields))


def test_a_folder_is_made_by_the_run_that_writes_there(tmp_path: Path) -> None:
    access = Access(SystemClock(), lambda data: "", tmp_path)
    files = Files(Connection("here", "files", settings={"folder": "out"}), access)
    target = files.target("x.csv", WriteOptions(fields=("name",)))
    target.begin(None, None)
    target.finish()
    target.close()
    assert (tmp_path / "out/x.csv").read_text() == "name\n"


def test_a_record_without_a_name_has_no_key(folder) -> None:
    with folder.target("x.csv", ["note"]) as target:
        assert target.key({"note": "x"}) is None
