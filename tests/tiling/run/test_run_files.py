"""Files that are there only if there is anything in them."""

from contextlib import ExitStack

from tessera.tiling.run.run_files import LazyFile
from tests.tiling.folder import Folder


def test_a_file_that_nothing_is_written_to_does_not_exist() -> None:
    folder = Folder()
    with ExitStack() as files:
        LazyFile("repeats.csv", folder.create, files, b"index,first\n")
    assert folder.files == {}


def test_the_first_write_creates_the_file_with_its_header() -> None:
    folder = Folder()
    with ExitStack() as files:
        file = LazyFile("repeats.csv", folder.create, files, b"index,first\n")
        file.write(b"3,0\n")
        file.write(b"4,1\n")
        assert folder.files == {}  # it is whole or not there at all
    assert folder.files == {"repeats.csv": b"index,first\n3,0\n4,1\n"}
