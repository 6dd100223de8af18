# mypy: allow-untyped-calls
import errno
import os
import pickle

import pytest

from animeprep.errors import DatasetError, FilmError, InputError, OutputError, UsageError
from animeprep.files import sha256, sweep_parts, write_atomic, write_changed


class _FullDisk:
    def __init__(self, file, code):
        self.file = file
        self.code = code

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        raise OSError(self.code, os.strerror(self.code))


@pytest.fixture
def full_disk(monkeypatch):
    def fill(code=errno.ENOSPC):
        open_handle = os.fdopen
        monkeypatch.setattr(os, "fdopen", lambda *given: _FullDisk(open_handle(*given), code))

    return fill


def test_a_file_is_written_with_its_folders(tmp_path):
    write_atomic(tmp_path / "a" / "b" / "c.txt", b"new")
    assert (tmp_path / "a/b/c.txt").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["c.txt"]


def test_others_may_read_what_is_written(tmp_path):
    write_atomic(tmp_path / "c.txt", b"new")
    assert (tmp_path / "c.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "choose a folder on a disk that can be written"),
        (errno.EACCES, "choose a folder you may write to"),
        (errno.EIO, "check the folder and the disk"),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_says_what_to_do(tmp_path, full_disk, code, advice):
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")
    full_disk(code)
    with pytest.raises(OutputError, match=advice) as caught:
        write_atomic(target, b"new and longer")
    assert str(target) in str(caught.value)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_of_a_new_file_leaves_nothing(tmp_path, full_disk):
    full_disk()
    with pytest.raises(OutputError):
        write_atomic(tmp_path / "picture.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_no_part(tmp_path, monkeypatch):
    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fdopen", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "picture.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_an_output_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomic(tmp_path / "taken" / "picture.png", b"new")


def test_a_file_that_holds_the_bytes_already_is_not_touched(tmp_path):
    target = tmp_path / "a.json"
    for content in (b"one", b"two"):
        write_changed(target, content)
        assert target.read_bytes() == content
    number = target.stat().st_ino
    write_changed(target, b"two")
    assert target.stat().st_ino == number


def test_sweeping_removes_only_parts(tmp_path):
    for name in (".abc.part", "kept.part", ".hidden", "kept.png"):
        (tmp_path / name).write_text(name)
    sweep_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "kept.part", "kept.png"]


def test_sha256_of_abc_is_that_of_the_standard():
    # FIPS 180-2, appendix B.1
    assert sha256(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_exit_codes():
    assert UsageError("x").exit_code == 2
    assert {InputError.exit_code, DatasetError.exit_code, OutputError.exit_code} == {1}


def test_errors_travel_between_processes():
    error = FilmError("a.mkv", "broken", "copy it again")
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    assert (type(copied), str(copied)) == (FilmError, "a.mkv: broken; copy it again")
