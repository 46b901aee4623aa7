"""Rows out of files: every kind of file, the place of each row, and what cannot be read."""

import codecs
import csv
import gzip
import io
import json
import sys

import pytest

from minirm.data.files import json_lines, numbered_json_lines, read_rows

ROWS = [
    {"prompt": "Q ", "chosen": "A", "rejected": "B"},
    {"prompt": "naïve — 日本 🙂", "chosen": "two\nlines", "rejected": 'a, "b"\tc'},
]


def json_text(rows=ROWS):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def csv_text(delimiter=",", rows=ROWS, end="\r\n"):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


TEXTS = {
    "a.jsonl": json_text(),
    "a.ndjson": json_text(),
    "A.JSONL": json_text(),
    "a.txt": json_text(),
    "lines.json": json_text(),
    "list.json": " \n" + json.dumps(ROWS, indent=1),
    "a.csv": csv_text(),
    "unix.csv": csv_text(end="\n"),
    "a.tsv": csv_text("\t"),
}


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["bare", "with a mark"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_kind_of_text_file_gives_the_same_rows(name, packed, mark, tmp_path):
    content = mark + TEXTS[name].encode()
    file = tmp_path / (name + ".gz" if packed else name)
    file.write_bytes(gzip.compress(content) if packed else content)
    assert [row for _, row in read_rows(file)] == ROWS


@pytest.mark.needs("pyarrow")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_parquet_gives_its_rows_counted_from_one(packed, tmp_path):
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
    if packed:
        file = tmp_path / "a.parquet.gz"
        file.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert list(read_rows(file)) == [(f"{file}, row {n}", ROWS[n - 1]) for n in (1, 2)]


@pytest.mark.needs("pyarrow")
def test_fields_that_only_other_rows_of_a_parquet_have_are_not_there(tmp_path):
    import pyarrow
    from pyarrow import parquet

    called = [{"function": {"name": "f", "arguments": {"x": 1}}}]
    rows = [
        {"chosen": [{"role": "assistant", "content": None, "tool_calls": called}], "note": None},
        {"chosen": [{"role": "assistant", "content": "A", "name": "ann"}], "note": "n"},
        {
            "chosen": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"function": {"name": "g", "arguments": {"y": 2}}}],
                }
            ],
            "note": "n",
        },
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert [row for _, row in read_rows(tmp_path / "a.parquet")] == rows


PLACES = {
    "a.jsonl": ('{"n": 1}\n\n  \r\n{"n": 2}\r\n{"n": 3}', ["line 1", "line 4", "line 5"]),
    "list.json": ('[{"n": 1},\n\n{"n": 2}, {"n": 3}]', ["row 1", "row 2", "row 3"]),
    "a.csv": ('n,m\n1,"x\ny\n"\n\n2,z\n3,z\n', ["line 2", "line 6", "line 7"]),
    "late.csv": ("\nn\n1\n2\n\n3\n", ["line 3", "line 4", "line 6"]),
    "a.tsv": ("n\tm\r\n1\t\r\n2\t\r\n3\t", ["line 2", "line 3", "line 4"]),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_row_is_where_an_editor_finds_it(name, tmp_path):
    text, places = PLACES[name]
    file = tmp_path / name
    file.write_bytes(text.encode())
    found = list(read_rows(file))
    assert [place for place, _ in found] == [f"{file}, {place}" for place in places]
    assert [int(row["n"]) for _, row in found] == [1, 2, 3]


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\\u0000", "\\r"])
def test_only_a_line_feed_ends_a_line_of_json(inside, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(f'{{"a": "x{inside}y"}}\n{{"a": 2}}\n', encoding="utf-8", newline="")
    (_, first), (place, second) = read_rows(file)
    assert first["a"] == "x" + inside.replace("\\u0000", "\0").replace("\\r", "\r") + "y"
    assert (place, second) == (f"{file}, line 2", {"a": 2})


def test_a_cell_may_be_long_and_hold_a_null_character(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "x" * 200_000 + ",y\0z\n")
    ((_, row),) = read_rows(tmp_path / "a.csv")
    assert (len(row["a"]), row["b"]) == (200_000, "y\0z")


# ------------------------------------------------- a row that is none stands in its place

GOOD = '{"a": 1}\n'
NO_ROWS = {
    "no JSON": ("a.jsonl", GOOD + "{'a': 1}\n" + GOOD, "line 2", "not JSON: Expecting"),
    "cut off": ("a.ndjson", GOOD + '{"a": "b"', "line 2", r"not JSON: Expecting .* \(column 10\)"),
    "too deep": ("a.jsonl", "[" * 100_000 + "\n", "line 1", "not JSON: "),
    "a number of endless digits": ("a.jsonl", '{"a": ' + "1" * 5000 + "}", "line 1", "not JSON: "),
    "a list in a line": ("a.jsonl", GOOD + "\n[1]\n", "line 3", r"no JSON object: \[1\]"),
    "a string in a line": ("a.jsonl", '"abc"\n', "line 1", "no JSON object: 'abc'"),
    "Latin-1 in JSON": ("a.jsonl", GOOD.encode() + b'{"a": "\xe9"}\n', "line 2", "not UTF-8: inva"),
    "a list of strings": ("a.json", '["a", "b"]', "row 1", "no JSON object: 'a'"),
    "a null in a list": ("a.json", '[{"a": 1}, null]', "row 2", "no JSON object: None"),
    "a list in a list": ("b.json", '[{}, [{"a": 1}]]', "row 2", "no JSON object: "),
    "a cell too few": ("a.csv", "a,b\n1,2\n\n3\n4,5\n", "line 4", "1 cells where the header has 2"),
    "a cell too many": ("a.tsv", "a\tb\n1\t2\t3\n", "line 2", "3 cells where the header has 2"),
    "Latin-1 in CSV": ("a.csv", b"a,b\nx,y\nx,\xe9t\xe9\nx,z\n", "line 3", "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_ROWS)
def test_a_row_that_cannot_be_read_says_why_in_its_place_and_the_others_are_read(case, tmp_path):
    name, content, place, reason = NO_ROWS[case]
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    found = list(read_rows(tmp_path / name))
    errors = [(where, row) for where, row in found if isinstance(row, ValueError)]
    assert errors[0][0] == f"{tmp_path / name}, {place}"
    with pytest.raises(ValueError, match=f"^{reason}"):
        raise errors[0][1]
    assert all(isinstance(row, dict) for _, row in found if (_, row) not in errors)


UNREADABLE = {
    "UTF-16": ("a.jsonl", GOOD.encode("utf-16"), "is UTF-16; save it as UTF-8"),
    "big-endian": ("a.json", codecs.BOM_UTF16_BE + "[]".encode("utf-16-be"), "is UTF-16; save"),
    "UTF-16 of a spreadsheet": ("a.tsv", "a\tb\n".encode("utf-16"), "is UTF-16; save it"),
    "no whole list": ("a.json", b'[{"a": 1},', "is not JSON: "),
    "Latin-1 in a list": ("a.json", b'[{"a": 1},\n\n{"a": "\xff"}]', "line 3 is not UTF-8"),
    "no gzip": ("a.jsonl.gz", GOOD.encode(), "is no whole gzip file"),
    "gzip cut off": ("a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-9], "no whole gzip"),
    "an open quote": ("a.csv", b'a,b\n1,2\n3,"4\n5,6\n', "line 3: unexpected end of data"),
    "a stray quote": ("a.csv", b'a,b\n"x"y,2\n', "line 2: ',' expected after"),
    "a column twice": ("a.csv", b"a,b,a\n1,2,3\n", "line 1: the header names the column 'a' twice"),
    "no Parquet": ("a.parquet", b"PAR1 and no more than that", "is no Parquet file"),
    "an empty Parquet": ("b.parquet", b"", "is no Parquet file"),
}  # fmt: skip


@pytest.mark.needs("pyarrow")
@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_line_that_names_it(case, tmp_path):
    name, content, reason = UNREADABLE[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason) as raised:
        list(read_rows(tmp_path / name))
    said = str(raised.value)
    assert said.startswith(str(tmp_path / name))
    assert "\n" not in said


def test_an_empty_file_has_no_rows(tmp_path):
    for name in ("a.jsonl", "a.json", "a.csv", "a.jsonl.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
        assert list(read_rows(tmp_path / name)) == []


@pytest.mark.parametrize(
    "source", ["nowhere.jsonl", "no.csv.gz", "./folder", "/a/b", "a/b/c", ".", "~/nothing/there"]
)
def test_a_file_that_is_not_there_is_an_error_that_repeats_it(source):
    with pytest.raises(FileNotFoundError, match=f"'{source}'".replace(".", r"\.")):
        read_rows(source)


# ------------------------------------------------------------------ the hub and its packages


def hub(monkeypatch, load_dataset):
    class datasets:
        pass

    datasets.load_dataset = staticmethod(load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", datasets)


def test_a_dataset_is_loaded_by_its_name_part_and_split(monkeypatch):
    asked = []

    def load_dataset(name, config, split):
        asked.append((name, config, split))
        return iter(ROWS)

    hub(monkeypatch, load_dataset)
    found = list(read_rows("owner/name", split="test_prefs"))
    assert found == [(f"owner/name, row {n} of test_prefs", ROWS[n - 1]) for n in (1, 2)]
    list(read_rows("owner/name", config="hard"))
    assert asked == [("owner/name", None, "test_prefs"), ("owner/name", "hard", "train")]


@pytest.mark.parametrize("kind", [FileNotFoundError, ValueError, ConnectionError])
def test_what_the_hub_cannot_give_is_told_in_one_line(kind, monkeypatch):
    def load_dataset(name, config, split):
        raise kind("Unknown split 'x'.\nShould be one of\n['train'].")

    hub(monkeypatch, load_dataset)
    expected = FileNotFoundError if kind is FileNotFoundError else ValueError
    with pytest.raises(expected, match=r"^'owner/name' is no file, .*: Unknown .* \['train'\]\.$"):
        list(read_rows("owner/name"))


@pytest.mark.parametrize(
    ("source", "package"), [("owner/name", "datasets"), ("x.parquet", "pyarrow")]
)
def test_a_missing_package_is_an_error_that_names_it(source, package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    if source.endswith("parquet"):
        source = tmp_path / source
        source.write_bytes(b"PAR1")
    with pytest.raises(ModuleNotFoundError, match=rf"package {package}: pip install minirm\[hub"):
        list(read_rows(source))


# ------------------------------------------------------------------------------ lines alone


def test_lines_are_read_as_they_come_bytes_or_text():
    def lines():
        yield codecs.BOM_UTF8 + b'{"a": 1}\n'
        yield b"\n"
        yield b'{"a": \n'
        raise AssertionError("read on after an error")

    rows = json_lines(lines(), "standard input")
    assert next(rows) == {"a": 1}
    with pytest.raises(ValueError, match=r"^standard input, line 3: not JSON"):
        next(rows)
    assert list(json_lines(["\ufeff" + GOOD], "x")) == [{"a": 1}]
    assert [place for place, _ in numbered_json_lines([GOOD, " ", GOOD], "x")] == [
        "x, line 1",
        "x, line 3",
    ]
