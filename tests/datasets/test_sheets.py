"""Spreadsheets are known by their columns, and what is wrong with them is one sentence."""

import csv
import re

import pytest
import xlsxwriter

from dfrnet.datasets.annotations import action_units
from dfrnet.datasets.sheets import OtherSheetError, as_text, frame_number, read_table, spelling
from dfrnet.types import UserError

COLUMNS = {"clip": ("Filename",), "onset": ("OnsetFrame", "OnsetF"), "apex": ("ApexFrame",)}


def write_book(path, sheets):
    with xlsxwriter.Workbook(str(path)) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for y, line in enumerate(lines):
                for x, cell in enumerate(line):
                    if isinstance(cell, tuple):
                        sheet.write_formula(y, x, cell[0], None, cell[1])
                    else:
                        sheet.write(y, x, cell)
    return path


@pytest.mark.parametrize("cell", [7, 7.0, "7", " 7 ", "007", "7.0"])
def test_a_frame_number_is_an_integer_however_it_is_kept(cell):
    assert frame_number(cell) == 7


@pytest.mark.parametrize("cell", ["-", "seven", 7.5, "7.5", "1e3", "7a"])
def test_anything_else_is_no_frame_number(cell):
    with pytest.raises(ValueError, match=re.escape(str(cell))):
        frame_number(cell)


def test_text_of_a_cell():
    assert as_text(12.0) == "12"
    assert as_text(12.5) == "12.5"
    assert as_text("  EP02_01f ") == "EP02_01f"


def test_case_blanks_and_punctuation_of_a_column_do_not_count():
    assert len({spelling(name) for name in ("Onset Frame", "OnsetFrame", "onset_frame ", "ONSET-FRAME")}) == 1


@pytest.mark.parametrize("text_rows", [0, 1, 13])
@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".semicolon.csv"])
def test_the_header_is_found_below_text_and_rows_keep_their_numbers(tmp_path, text_rows, suffix):
    lines = [["about this file", "", ""]] * text_rows + [
        ["Filename", "", "Onset Frame", "ApexFrame"],
        ["a", "", 3, "/"],
    ]
    path = tmp_path / f"sheet{suffix}"
    if suffix == ".xlsx":
        write_book(path, {"Sheet1": lines, "Sheet2": []})
    else:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file, delimiter=";" if "semicolon" in suffix else ",").writerows(lines)
    table = read_table(path, COLUMNS)
    assert [row.number for row in table.rows] == [text_rows + 2]
    assert (table.rows[0].text("clip"), table.rows[0].text("onset"), table.rows[0].text("apex")) == ("a", "3", "/")
    assert table.where(table.rows[0]) == f"{path.name}, row {text_rows + 2}"


def test_a_formula_counts_with_its_stored_value(tmp_path):
    path = write_book(tmp_path / "s.xlsx", {"HS": [["Filename", "OnsetF", "ApexFrame"], ["a", ("=VIS!A1+2", 12), 3]]})
    assert read_table(path, COLUMNS).rows[0].text("onset") == "12"


def test_of_two_sheets_the_one_with_more_of_the_columns(tmp_path):
    few, all_of_them = [["Filename", "OnsetF"], ["few", 1]], [["Filename", "OnsetF", "ApexFrame"], ["all", 1, 2]]
    path = write_book(tmp_path / "s.xlsx", {"VIS": few, "HS": all_of_them})
    table = read_table(path, COLUMNS, optional=["apex"])
    assert (table.sheet, table.missing) == ("HS", ())


def test_blank_rows_are_no_rows_and_missing_optional_columns_are_named(tmp_path):
    path = write_book(tmp_path / "s.xlsx", {"a": [["Filename", "OnsetF"], ["x", 1], [], ["", " "], ["y", 2]]})
    table = read_table(path, COLUMNS, optional=["apex"])
    assert [row.text("clip") for row in table.rows] == ["x", "y"]
    assert table.missing == ("apex",)


def test_a_renamed_column_is_named_with_what_stands_there(tmp_path):
    path = write_book(tmp_path / "s.xlsx", {"Sheet1": [["Filename", "Start", "ApexFrame"], ["x", 1, 2]]})
    with pytest.raises(UserError) as caught:
        read_table(path, COLUMNS)
    for part in ("s.xlsx, sheet Sheet1", "no column OnsetFrame or OnsetF", "Filename, Start, ApexFrame"):
        assert part in str(caught.value)
    assert not isinstance(caught.value, OtherSheetError)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"<html>not found</html>"])
def test_a_file_that_is_no_spreadsheet(tmp_path, content):
    path = tmp_path / "s.xlsx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"s\.xlsx: not a spreadsheet") as caught:
        read_table(path, COLUMNS)
    assert not isinstance(caught.value, OtherSheetError)  # it may well have been the sheet


def test_a_sheet_of_something_else(tmp_path):
    path = write_book(tmp_path / "s.xlsx", {"prices": [["apples", "pears"], [1, 2]]})
    with pytest.raises(OtherSheetError, match="no sheet with columns such as Filename"):
        read_table(path, COLUMNS)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("4", ("4",)), ("4+7+L10", ("4", "7", "L10")), ("L12 + 61", ("L12", "61")), ("?", ()), ("", ()),
        ("(R6 or R12)+R15", ("(R6 or R12)", "R15")), ("ref(7B)+43", ("ref(7B)", "43")), ("10A/B", ("10A/B",)),
    ],
)  # fmt: skip
def test_action_units_stay_as_they_are_spelled(text, units):
    assert action_units(text) == units
