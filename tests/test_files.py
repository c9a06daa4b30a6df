"""Files appear whole or not at all."""

import pytest

from veernet.errors import RunError
from veernet.files import read_json_lines, replacing, write_json_lines


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as temporary:
        temporary.write_text("half \ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert [*path.parent.iterdir()] == [path]


def read(path, **options):
    return read_json_lines(path, error=RunError, missing="no log", **options)


def test_a_line_cut_off_while_it_was_written_is_dropped_only_where_it_may_be(tmp_path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(RunError, match="^no log$"):
        read(path)
    write_json_lines(path, [{"a": 1}, {"b": "é"}])
    with path.open("a") as file:
        file.write('{"c": ')
    assert read(path, may_be_cut=True) == [{"a": 1}, {"b": "é"}]
    with pytest.raises(RunError, match=r"log.jsonl: damaged \(line 3, the last, is cut off\)"):
        read(path)
    write_json_lines(path, [{"name": "a\u2028b"}])
    assert read(path) == [{"name": "a\u2028b"}]
    path.write_text("3\n")
    with pytest.raises(RunError, match="line 1 is not a JSON object"):
        read(path)
