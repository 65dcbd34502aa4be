"""Fake copies of the licensed data sets: their trees, file names and sheets, with made-up rows and drawn faces.

``write_casme2(root)`` and its like write one data set as its owners hand it out and return what was written;
:mod:`archive_faults` damages it afterwards. Clips of the public MEGC2019 list bear their true names; frame numbers,
action units and everything else are invented.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from archive_rows import FULL, MOVES, SEEDS, TREES, Cell, Row, Tree, full_rows, label_of
from dfrnet.datasets import synthetic


@dataclass(frozen=True)
class Planted:
    """A fault: the kind of finding it must lead to, the clip's id ("" where it names none), and what was done.

    Kind "erratum" leads to no finding: the value must be corrected.
    """

    kind: str
    clip: str
    what: str


@dataclass
class Written:
    """A fake archive on disk. ``cells`` are the rows of its sheet by clip; ``save`` writes the sheet again."""

    name: str
    root: Path
    sheet: Path
    rows: list[Row]
    columns: list[str]
    cells: list[tuple[str, dict[str, Cell]]]
    save_to: Callable[[Written], None]
    frames: dict[str, dict[str, dict[int, Path]]] = field(default_factory=dict)
    planted: list[Planted] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [row.id for row in self.rows]

    def row(self, clip: str) -> Row:
        return next(row for row in self.rows if row.id == clip)

    def files(self, clip: str, tree: str = "") -> dict[int, Path]:
        """The clip's frames by number in one tree; without a name in the last one written, the preferred."""
        return self.frames[tree or list(self.frames)[-1]][clip]

    def save(self) -> None:
        """Write the sheet anew: never through a link, which could lead to somebody's true file."""
        self.sheet.unlink(missing_ok=True)
        self.save_to(self)

    def note(self, kind: str, clip: str, what: str) -> Planted:
        self.planted.append(Planted(kind, clip, what))
        return self.planted[-1]

    def expected(self) -> list[tuple[str, str]]:
        """(kind, clip) of every finding that was planted, sorted."""
        return sorted((planted.kind, planted.clip) for planted in self.planted if planted.kind != "erratum")


def found(findings: Iterable) -> list[tuple[str, str]]:
    """(kind, clip) of every finding, sorted, to be compared with ``Written.expected``."""
    return sorted((finding.kind, finding.clip) for finding in findings)


def stems(clip) -> tuple[str, ...]:
    """The names of the files at a clip's onset, apex (where there is one) and offset."""
    places = (clip.onset, *(() if clip.apex is None else (clip.apex,)), clip.offset)
    return tuple(clip.frames.paths[place].stem for place in places)


# Pictures.


class Painter:
    """Draws the clips of one data set: a subject is a drawn person, an emotion its movement."""

    def __init__(self, name: str, rows: Sequence[Row], difficulty: str = "easy") -> None:
        self.people = {subject: k for k, subject in enumerate(dict.fromkeys(row.subject for row in rows))}
        each = 96  # enough for the person with most clips
        drawn = synthetic.draw_clips(
            synthetic.DIFFICULTIES[difficulty], subjects=len(self.people), clips_per_subject=each, seed=SEEDS[name],
            fps=200,
        )  # fmt: skip
        self.pool = [drawn[k : k + each] for k in range(0, len(drawn), each)]

    def clip(self, row: Row):
        """The drawn clip that ``row`` will show: the person's next one with this emotion, or at least its class."""
        emotion, pool = MOVES.get(row.emotion.lower(), row.emotion.lower()), self.pool[self.people[row.subject]]
        fitting = [clip for clip in pool if clip.emotion == emotion]
        fitting = fitting or [clip for clip in pool if clip.label == label_of(row.emotion)]
        pool.remove(fitting[0])
        return fitting[0]


def frame_at(clip, row: Row, number: int) -> int:
    """Which frame of the drawn clip stands for frame ``number`` of the recording."""
    known = (row.onset, max(row.apex, row.onset + 1), max(row.offset, row.apex + 1))
    return int(np.rint(np.interp(number, known, (clip.onset, clip.apex, clip.offset))))


def dress(face: np.ndarray, tree: Tree) -> np.ndarray:
    """A drawn face, 128 x 128 RGB, in the format of ``tree``: as a crop, or with a margin on a plain background."""
    height, width = tree.size
    if tree.look == "cropped":
        half = round(min(58, 58 * width / height))
        crop = face[10:126, 64 - half : 64 + half]
        return cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC)
    side = int(0.8 * height)
    border = np.concatenate([face[0], face[:, 0], face[:, -1]])
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.median(border, axis=0)
    top, left = height - side, (width - side) // 2
    picture[top:, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if tree.look == "grey" else picture


def encoded(picture: np.ndarray, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture, options)
    assert done
    return data.tobytes()


def _write_frames(written: Written, trees: Iterable[str], cheap: bool, lead: int | None) -> None:
    order = [tree for tree in TREES[written.name] if tree in set(trees)]
    written.frames = {tree: {} for tree in order}
    painter = None if cheap or not order else Painter(written.name, written.rows)
    tiny = {suffix: encoded(np.full((8, 8), 128, np.uint8), suffix) for suffix in (".jpg", ".bmp", ".png")}
    for row in written.rows:
        clip = painter.clip(row) if painter else None
        faces: dict[int, np.ndarray] = {}
        for key in order:
            tree = TREES[written.name][key]
            first, last = row.onset, row.offset
            if tree.whole:  # CASME II counts from 1 in each take, the others from some number
                before = lead if lead is not None else row.onset - 1 if written.name == "casme2" else 4
                first, last = max(row.onset - before, 1), last + (4 if lead is None else lead)
            words = {**asdict(row), "emotion": row.emotion.lower()}
            folder = written.root / tree.folder.format(**words)
            folder.mkdir(parents=True, exist_ok=True)
            files: dict[int, Path] = {}
            rest: bytes = b""
            for number in range(first, last + 1):
                path = files[number] = folder / tree.file.format(**words, n=number)
                if clip is None:
                    path.write_bytes(tiny[path.suffix])
                elif number < row.onset and rest:
                    path.write_bytes(rest)
                else:
                    at = frame_at(clip, row, number)
                    faces[at] = faces[at] if at in faces else clip.frames[at]
                    data = encoded(dress(faces[at], tree), path.suffix)
                    rest = rest or data
                    path.write_bytes(data)
            written.frames[key][row.id] = files
            if written.name == "casme3":
                depth = folder.parent / "depth"
                depth.mkdir(exist_ok=True)
                for number in files:
                    (depth / f"{number}.png").write_bytes(tiny[".png"])


# Sheets.


def _book(written: Written, *tables: tuple[str, list[list[object]]]) -> None:
    """An .xlsx of ``tables``: (name, lines). A cell (formula, value) is a formula with the value it had last."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(written.sheet)) as book:
        for title, lines in tables:
            sheet = book.add_worksheet(title)
            for y, line in enumerate(lines):
                for x, cell in enumerate(line):
                    if isinstance(cell, tuple):
                        sheet.write_formula(y, x, cell[0], None, cell[1])
                    elif isinstance(cell, str) and cell:
                        sheet.write_string(y, x, cell)
                    elif isinstance(cell, (int, float)):
                        sheet.write_number(y, x, cell)


def _lines(written: Written) -> list[list[object]]:
    """Header and rows; a column without a name is blank."""
    return [
        list(written.columns),
        *([cells.get(c, "") if c.strip() else "" for c in written.columns] for _, cells in written.cells),
    ]


def _save_csv(written: Written) -> None:
    with written.sheet.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_lines(written))


def _save_casme2(written: Written) -> None:
    _book(written, ("Sheet1", _lines(written)), ("Sheet2", []), ("Sheet3", []))


SAMM_TEXT: list[list[object]] = [
    ["FAKE Dataset - Master FACS Codes", "", "", "", "(Note to the users: these rows are invented.)"], [],
    ["1/1/17 - New updates with invented Classes: ", "", "", "", "", "", "", "", "nowhere"],
    ["", "", "", "", "(Note to the users: Onset Frame and Apex Frame are made up.)"], [], ["Symbol Key:"],
    ['"/" = or'], ['"?" = unclear offset'], [], ["AU Help:"], ['"L2 or R2" = one side'], ['"A2" = Asymmetric AU 2.'],
    [],
]  # fmt: skip


def _save_samm(written: Written) -> None:
    lines = _lines(written)
    for y, line in enumerate(lines[1:], start=len(SAMM_TEXT) + 2):
        onset, offset = line[3], line[5]
        known = isinstance(onset, int) and isinstance(offset, int)
        line[6] = (f"=F{y}-D{y}+1", offset - onset + 1 if known else "#VALUE!")
    _book(written, ("MICRO_ONLY", [*SAMM_TEXT, *lines]))


def _save_smic(written: Written) -> None:
    """Sheets HS and VIS; HS computes what it can from VIS, as the true one does for people 11 to 20."""
    lines, seen = _lines(written), []
    for (clip, cells), line in zip(written.cells, lines[1:], strict=True):
        if clip and isinstance(cells.get("Subject"), int) and cells["Subject"] > 10:
            seen.append((len(seen) + 2, clip, cells, line))
    visible: list[list[object]] = [[*written.columns[:9], *written.columns[10:]]]
    for y, (_, _, cells, line) in enumerate(seen, start=2):
        onset, first = cells["OnsetF"], cells["FirstF"]
        if not isinstance(onset, int) or not isinstance(first, int):
            visible.append([line[0], line[1]])
            continue
        start, length = 1000 + 10 * y, (int(cells["LastF"]) - first + 1) // 4
        visible.append(
            [line[0], line[1], "", start, start + 2, "", "", "", start - (onset - first) // 4, 3, "", length]
        )
        visible[-1].append(line[13])
        here = lines.index(line) + 1
        line[8] = (f"=D{here}-100*(VIS!D{y}-VIS!I{y})/25", first)
        line[9] = (f"=I{here}+100*(VIS!L{y})/25-1", cells["LastF"])
    for here, ((clip, cells), line) in enumerate(zip(written.cells, lines[1:], strict=True), start=2):
        if clip and isinstance(cells.get("OffsetF"), int):
            line[4] = (f"=D{here}+K{here}-1", cells["OffsetF"])
        if clip and isinstance(cells.get("TotalVL"), int):
            line[12] = (f"=J{here}-I{here}+1", cells["TotalVL"])
    _book(written, ("HS", lines), ("VIS", visible), ("Sheet2", []), ("Sheet3", []))


def _save_casme3(written: Written) -> None:
    junk = [["Subject", "count"], ["spNO.1", 3], ["spNO.2", 1]]
    _book(written, ("label", _lines(written)), ("Sheet1", junk), ("Sheet3", [["", 12], ["disgust", 5]]))


def _save_plain(written: Written) -> None:
    _book(written, ("Sheet1", _lines(written)))


# One function a data set. ``clips``: how many, spread over the full-size set (None: all of it); or ``rows`` from
# make_row. ``cheap`` writes one tiny grey picture for every frame. ``lead``: frames before onset and after offset
# where a tree holds the whole take.


def _start(
    name: str, root: Path, clips: int | None, rows: Sequence[Row] | None, frames: int, sheet: str, columns: list[str],
    cells_of: Callable[[Row], dict[str, Cell]], save: Callable[[Written], None],
) -> Written:  # fmt: skip
    if root.is_symlink():
        raise ValueError(f"{root}: a link; fake archives are written to real folders only")
    root.mkdir(parents=True, exist_ok=True)
    if rows is None:
        rows = full_rows(name, frames)
        if clips is not None:
            rows = [rows[k * len(rows) // clips] for k in range(clips)]
    if sheet.endswith(".csv"):
        save = _save_csv
    cells = [(row.id, cells_of(row)) for row in rows]
    written = Written(name, root, root / sheet, list(rows), columns, cells, save)
    written.save()
    return written


def write_casme2(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, trees: Sequence[str] = ("cropped",),
    version: str = "2014", frames: int = 9, cheap: bool = False, lead: int | None = None, suffix: str = ".xlsx",
) -> Written:  # fmt: skip
    """CASME II; ``version`` 2014, or 2019 with a column more and three of the sad clips surprised."""
    columns = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", " ", "Action Units"]
    columns += ["Estimated Emotion", *(["Objective Classes"] if version == "2019" else [])]

    def cells(row: Row) -> dict[str, Cell]:
        return {
            "Subject": row.subject, "Filename": row.name, "OnsetFrame": row.onset, "ApexFrame": row.apex,
            "OffsetFrame": row.offset, "Action Units": int(row.units) if row.units.isdigit() else row.units,
            "Estimated Emotion": row.emotion, "Objective Classes": 1 + zlib.crc32(row.id.encode()) % 7,
        }  # fmt: skip

    name = {"2014": "CASME2-coding-20140508", "2019": "CASME2-coding-20190701"}[version] + suffix
    written = _start("casme2", root, clips, rows, frames, name, columns, cells, _save_casme2)
    _write_frames(written, trees, cheap, lead)
    return written


def write_samm(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, trees: Sequence[str] = ("raw",),
    frames: int = 9, cheap: bool = False, suffix: str = ".xlsx",
) -> Written:  # fmt: skip
    columns = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"]
    columns += ["Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]

    def cells(row: Row) -> dict[str, Cell]:
        return {
            "Subject": row.subject, "Filename": row.name, "Inducement Code": int(row.name.split("_")[1]),
            "Onset Frame": row.onset, "Apex Frame": row.apex, "Offset Frame": row.offset, "Micro": "Micro - 1/2",
            "Action Units": int(row.units) if row.units.isdigit() else row.units, "Estimated Emotion": row.emotion,
            "Objective Classes": 1 + zlib.crc32(row.id.encode()) % 7, "Notes": "",
        }  # fmt: skip

    name = f"SAMM_Micro_FACS_Codes_v2{suffix}"
    written = _start("samm", root, clips, rows, frames, name, columns, cells, _save_samm)
    _write_frames(written, trees, cheap, None)
    return written


def write_smic(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, trees: Sequence[str] = ("cropped",),
    frames: int = 9, cheap: bool = False, text_after: bool = True,
) -> Written:  # fmt: skip
    """SMIC-HS; ``text_after``: lines of text below the table."""
    columns = ["Subject", "Filename", "", "OnsetF", "OffsetF", "Onset2F", "Offset2F", " ", "FirstF", "LastF"]
    columns += ["TotalMF1", "TotalMF2", "TotalVL", "Emotion"]

    def cells(row: Row) -> dict[str, Cell]:
        first, last = row.onset - 40, row.offset + 39
        second = row.second or ("", "")
        return {
            "Subject": int(row.subject), "Filename": row.name, "OnsetF": row.onset, "OffsetF": row.offset,
            "Onset2F": second[0], "Offset2F": second[1], "FirstF": first, "LastF": last,
            "TotalMF1": row.offset - row.onset + 1, "TotalMF2": second[1] - second[0] + 1 if row.second else "",
            "TotalVL": last - first + 1, "Emotion": row.emotion,
        }  # fmt: skip

    written = _start("smic", root, clips, rows, frames, "SMIC-HS-E_annotation.xlsx", columns, cells, _save_smic)
    if text_after:
        written.cells += [("", {}), ("", {"Filename": "Onset2F: a second movement in the same clip"})]
        written.cells += [("", {"Subject": "MF: frames of a movement", "OnsetF": "VL: frames of a video"})]
        written.note("stray_row", "", "text below the table")
        written.note("stray_row", "", "more text below the table")
        written.save()
    _write_frames(written, trees, cheap, None)
    return written


def write_casme3(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, frames: int = 9, cheap: bool = False
) -> Written:
    """CAS(ME)^3, part A: every cell is text, a take may hold several movements, pictures of depth beside the colour."""
    columns = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]

    def cells(row: Row) -> dict[str, Cell]:
        roman = ("I", "II", "III", "IV", "V", "VI", "VII")[zlib.crc32(row.id.encode()) % 7]
        values = (row.subject, row.name, row.onset, row.apex, row.offset, row.units, roman, row.emotion)
        return dict(zip(columns, map(str, values), strict=True))

    name = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
    written = _start("casme3", root, clips, rows, frames, name, columns, cells, _save_casme3)
    _write_frames(written, ("color",), cheap, None)
    return written


def write_mmew(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, frames: int = 9, cheap: bool = False,
    suffix: str = ".xlsx",
) -> Written:  # fmt: skip
    columns = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]
    columns.append("remarks")

    def cells(row: Row) -> dict[str, Cell]:
        values = (int(row.subject), row.name, row.onset, row.apex, row.offset, row.units, row.emotion, "")
        return dict(zip(columns, values, strict=True))

    written = _start("mmew", root, clips, rows, frames, f"MMEW_Micro_Exp{suffix}", columns, cells, _save_plain)
    _write_frames(written, ("cropped",), cheap, None)
    return written


def write_dfme(
    root: Path, clips: int | None = 6, *, rows: Sequence[Row] | None = None, frames: int = 9, cheap: bool = False
) -> Written:
    columns = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU"]
    order = list(FULL["dfme"])

    def cells(row: Row) -> dict[str, Cell]:
        values = (row.subject, row.name, row.onset, row.apex, row.offset, row.emotion, order.index(row.emotion) + 1)
        return dict(zip(columns, (*values, row.fps, row.units), strict=True))

    written = _start("dfme", root, clips, rows, frames, "testB.xlsx", columns, cells, _save_plain)
    _write_frames(written, ("raw",), cheap, None)
    return written


WRITERS: dict[str, Callable[..., Written]] = {
    "casme2": write_casme2, "samm": write_samm, "smic": write_smic, "casme3": write_casme3, "mmew": write_mmew,
    "dfme": write_dfme,
}  # fmt: skip
