"""Fake copies of the licensed data sets: their trees, file names and sheets, with made-up rows and drawn faces.

``write_casme2(root)`` and its like write one data set as its owners hand it out and return what was written. The
faults below damage it afterwards and note in ``planted`` what a reader should find, so that a test can compare.
Clips of the public MEGC2019 list bear their true names; frame numbers, action units and everything else are invented.

    python tests/archives.py OUT --full

writes CASME II, SAMM and SMIC-HS in full size (255, 159 and 164 clips) to ``OUT/casme2``, ``OUT/samm`` and
``OUT/smic``, with the faults of :func:`plant_full`, and what was planted to ``OUT/planted.json``. Without ``--full``:
12 clips each of all six data sets, unharmed.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

REPOSITORY = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY / "src"))

from dfrnet.datasets import synthetic  # noqa: E402

OFFICIAL = REPOSITORY / "src" / "dfrnet" / "datasets" / "megc2019.csv"
Cell = str | int | float


@dataclass(frozen=True)
class Row:
    """One clip as it was recorded: what the frames on disk show, whatever the sheet will say."""

    id: str
    subject: str  # as in the sheet
    name: str  # as in the sheet
    emotion: str  # as in the sheet
    onset: int
    apex: int
    offset: int
    units: str = "4"
    fps: int = 0  # DFME only
    second: tuple[int, int] | None = None  # SMIC: onset and offset of a second movement
    pad: int = 4  # SAMM: digits of a frame number


@dataclass(frozen=True)
class Tree:
    """One of the trees a data set comes in: patterns of folder and file, (height, width), what a picture shows."""

    folder: str
    file: str
    size: tuple[int, int]
    look: str = "raw"  # or cropped, grey
    whole: bool = False  # the whole take, not just onset to offset


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


# The data sets: trees, and rows that nobody annotated.

TREES: dict[str, dict[str, Tree]] = {  # the preferred tree comes last
    "casme2": {
        "raw": Tree("CASME2-RAW/sub{subject}/{name}", "img{n}.jpg", (480, 640), whole=True),
        "selected": Tree("CASME2_RAW_selected/sub{subject}/{name}", "img{n}.jpg", (480, 640)),
        "cropped": Tree("Cropped/sub{subject}/{name}", "reg_img{n}.jpg", (340, 280), "cropped"),
    },
    "samm": {"raw": Tree("SAMM/{subject}/{name}", "{subject}_{n:0{pad}}.jpg", (650, 960), "grey")},
    "smic": {
        "long": Tree(
            "SMIC-E_raw image/HS_long/SMIC-HS-E/s{subject:>02}/{name}", "image{n:06}.jpg", (480, 640), whole=True
        ),
        "raw": Tree("SMIC_all_raw/HS/s{subject}/micro/{emotion}/{name}", "image{n:06}.bmp", (480, 640)),
        "cropped": Tree(
            "SMIC_all_cropped/HS/s{subject}/micro/{emotion}/{name}", "reg_image{n:06}.bmp", (170, 140), "cropped"
        ),
    },
    "casme3": {"color": Tree("data/part_A/{subject}/{name}/color", "{n}.jpg", (720, 1280), whole=True)},
    "mmew": {"cropped": Tree("MMEW_Final/Micro_Expression/{emotion}/{name}", "{n}.jpg", (231, 231), "cropped")},
    "dfme": {"raw": Tree("test_data_B/{name}", "{n}.png", (480, 640))},
}
SEEDS = {"casme2": 12, "samm": 13, "smic": 14, "casme3": 15, "mmew": 16, "dfme": 17}  # other people in each
UNITS = {
    "negative": ("4", "4+7", "15+17", "L14", "?"), "positive": ("12", "6+12", "R12"), "surprise": ("1+2", "R1+R2", "5"),
}  # fmt: skip
MOVES = {"others": "anger", "other": "repression", "sad": "sadness", "happy": "happiness"}
"""Emotions that ``synthetic`` does not draw -> one that it draws and that the same data set does not annotate."""
FULL = {  # emotions as annotated and how many clips; from the sets' descriptions
    "casme2": {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2},
    "samm": {
        "Anger": 57, "Other": 26, "Happiness": 26, "Surprise": 15, "Contempt": 12, "Disgust": 9, "Fear": 8,
        "Sadness": 6,
    },
    "smic": {"negative": 70, "positive": 51, "surprise": 43},
    "casme3": {
        "disgust": 250, "surprise": 187, "others": 158, "Others": 3, "fear": 86, "anger": 64, "sad": 57, "happy": 55,
    },
    "mmew": {"surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8},
    "dfme": {"disgust": 90, "surprise": 60, "happiness": 50, "sadness": 35, "fear": 30, "anger": 20, "contempt": 14},
}  # fmt: skip
IN_THREE = {"casme2": ("disgust", "repression"), "samm": ("Anger", "Contempt", "Disgust", "Fear", "Sadness")}
ODD = (("03", "EP08_1"), ("04", "EP12_01f"), ("05", "EP09_05f"))
"""Clips of CASME II that the public list lacks: a name that follows no pattern, and two whose apex is odd."""
DFME_FPS = (500, 300, 200)


def make_row(name: str, subject: str, clip: str, emotion: str, onset: int, apex: int, offset: int, **more) -> Row:
    """A row from what its sheet says; the id is what the package calls the clip."""
    person, last = subject, clip
    if name == "casme2":
        person = f"sub{subject}"
    elif name == "smic":
        person, last = f"s{int(subject):02}", f"s{int(subject):02}_{clip.partition('_')[2]}"
    elif name == "casme3":
        last = f"{clip}_{onset}"
    elif name == "mmew":
        person = f"S{int(subject):02}"
    return Row(f"{name}/{person}/{last}", subject, clip, emotion, onset, apex, offset, **more)


def full_rows(name: str, frames: int = 9) -> list[Row]:
    """Every clip of the full-size set, sorted; the same on every machine."""
    left = dict(FULL[name])
    people = {"casme2": 26, "casme3": 100, "mmew": 30, "dfme": 60}.get(name, 0)
    names: list[tuple[str, str, str]] = []  # subject, clip, emotion
    if name in ("casme2", "samm", "smic"):
        with OFFICIAL.open(newline="", encoding="utf-8") as file:
            listed = [line for line in csv.DictReader(file) if line["dataset"] == name]
        for line in listed:
            emotion, subject, clip = line["label"], line["subject"].removeprefix("sub"), line["clip"]
            if name == "smic":
                subject = str(int(subject[1:]))
                clip = f"s{subject}_{clip.partition('_')[2]}"
            elif emotion == "negative":
                choices = IN_THREE[name]
                emotion = max(choices, key=lambda e: (left[e] / FULL[name][e], e))
            else:
                emotion = {"positive": "happiness", "surprise": "surprise"}[emotion]
                emotion = emotion if emotion in left else emotion.title()
            left[emotion] -= 1
            names.append((subject, clip, emotion))
        persons = sorted({subject for subject, _, _ in names}) or []
        persons += [f"{p:02}" for p in range(1, people + 1) if f"{p:02}" not in persons]
        if name == "samm":
            persons.append("025")  # 29 people; the list knows 28 of them
    else:
        persons = [{"casme3": f"spNO.{p}", "dfme": f"sub{p:04}"}.get(name, str(p)) for p in range(1, people + 1)]
    taken = {(subject, clip) for subject, clip, _ in names}
    rest = [emotion for emotion, count in left.items() for _ in range(count)]
    odd = [pair for pair in ODD if name == "casme2"]
    for k, (emotion, person) in enumerate(zip(rest, cycle(reversed(persons)), strict=False)):
        subject, clip = odd.pop() if odd else (person, "")
        number = 1
        while not clip or (subject, clip) in taken:
            clip = _invented(name, subject, emotion, k, number)
            number += 1
        taken.add((subject, clip))
        names.append((subject, clip, emotion))
    return [_invent(name, subject, clip, emotion, frames) for subject, clip, emotion in sorted(names)]


def _invented(name: str, subject: str, emotion: str, k: int, number: int) -> str:
    if name == "samm":
        return f"{subject}_{k % 7 + 1}_{number + 30}"
    if name == "casme3":
        return "abcdefghijklm"[number - 1]
    if name == "mmew":
        order = ("happiness", "surprise", "disgust", "others", "fear", "sadness", "anger")
        return f"S{int(subject):02}-{order.index(emotion) + 1:02}-{number:03}"
    return f"{subject}_{number:02}" if name == "dfme" else f"EP{k % 19 + 1:02}_{number + 60}{'f' * (k % 2)}"


def _invent(name: str, subject: str, clip: str, emotion: str, frames: int) -> Row:
    """Frame numbers of the size that the true ones have, and action units that suit the emotion."""
    random = np.random.default_rng(zlib.crc32(f"{name}/{subject}/{clip}".encode()))
    low, high = {"casme2": (2, 60), "samm": (120, 9800), "casme3": (30, 4000)}.get(name, (1, 2))
    if name == "smic":
        person = int(subject)
        low, high = (17_000_000, 17_700_000) if person == 20 else (10_000 * person + 1000, 90_000 * person)
    onset = int(random.integers(low, high))
    apex = onset + (frames - 1) // 2 + int(random.integers(-1, 2)) * (frames > 6)
    units = UNITS[label_of(emotion)]
    return make_row(
        name, subject, clip, emotion, onset, apex, onset + frames - 1, units=units[random.integers(len(units))],
        fps=DFME_FPS[random.integers(3)] if name == "dfme" else 0, pad=5 if random.uniform() < 0.25 else 4,
    )  # fmt: skip


def label_of(emotion: str) -> str:
    """One of the three classes; others count as negative, so that their faces move somehow."""
    emotion = emotion.lower()
    return {"happiness": "positive", "happy": "positive"}.get(
        emotion, emotion if emotion in ("positive", "surprise") else "negative"
    )


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


# Faults of the sheet. Each notes what a reader should find.


def set_cell(written: Written, clip: str, column: str, value: Cell, kind: str = "") -> None:
    """The cell says ``value``, whatever the frames show; ``kind`` is the finding this leads to, "" for none."""
    assert column in written.columns
    next(cells for one, cells in written.cells if one == clip)[column] = value
    written.save()
    if kind:
        written.note(kind, clip, f"{column} is {value!r}")


def rename_column(written: Written, old: str, new: str) -> None:
    written.columns[written.columns.index(old)] = new
    for _, cells in written.cells:
        if old in cells:
            cells[new] = cells.pop(old)
    written.save()


def drop_row(written: Written, clip: str) -> None:
    """A folder without a row: SMIC's clips are known from their frames, the others' are not."""
    written.cells = [(one, cells) for one, cells in written.cells if one != clip]
    written.save()
    known = written.name == "smic"
    written.note("no_row" if known else "unlabelled", clip if known else "", f"row of {clip} removed")


def repeat_row(written: Written, clip: str) -> None:
    cells = next(cells for one, cells in written.cells if one == clip)
    written.cells.append((clip, dict(cells)))
    written.save()
    written.note("twice", clip, "row repeated at the end")


# Faults of the tree; they touch the preferred tree only.


def remove_frame(written: Written, clip: str, which: str) -> None:
    """``which``: onset, apex, offset, or between (the frame after the onset)."""
    row = written.row(clip)
    number = row.onset + 1 if which == "between" else getattr(row, which)
    written.files(clip).pop(number).unlink()
    kind = {"onset": "no_onset", "apex": "apex_missing", "offset": "short", "between": "gap"}[which]
    written.note(kind, clip, f"frame {number} removed, the {which}")
    if which == "apex":
        written.note("gap", clip, f"frame {number} removed")


def truncate_frame(written: Written, clip: str) -> None:
    """Half a picture: the download broke off."""
    path = written.files(clip)[written.row(clip).apex]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    written.note("undecodable", clip, f"{path.name} cut in half")


def empty_frame(written: Written, clip: str) -> None:
    path = written.files(clip)[written.row(clip).onset]
    path.write_bytes(b"")
    written.note("undecodable", clip, f"{path.name} emptied")


def resize_frame(written: Written, clip: str) -> None:
    path = written.files(clip)[written.row(clip).onset + 1]
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    path.write_bytes(encoded(cv2.resize(picture, None, fx=0.5, fy=0.5)[..., ::-1], path.suffix))
    written.note("sizes", clip, f"{path.name} half as large")


def repeat_frame(written: Written, clip: str) -> None:
    """The apex's picture again, in the place of the frame after it."""
    files, apex = written.files(clip), written.row(clip).apex
    shutil.copyfile(files[apex], files[apex + 1])
    written.note("duplicate_file", clip, f"{files[apex + 1].name} is a copy of {files[apex].name}")


def double_number(written: Written, clip: str) -> None:
    """A second file with the number of the onset: ``img0007.jpg``, a mirrored picture, beside ``img7.jpg``."""
    path = written.files(clip)[written.row(clip).onset]
    digits = path.stem[len(path.stem.rstrip("0123456789")) :]
    copy = path.with_name(f"{path.stem[: len(path.stem) - len(digits)]}000{digits}{path.suffix}")
    copy.write_bytes(encoded(cv2.imread(str(path))[:, ::-1, ::-1], path.suffix))
    written.note("duplicate_number", clip, f"{copy.name} beside {path.name}")


def remove_folder(written: Written, clip: str) -> None:
    shutil.rmtree(next(iter(written.files(clip).values())).parent)
    written.note("no_folder", clip, "folder removed")


def extra_folder(written: Written, clip: str, like: str) -> None:
    """A folder named ``clip`` that no row knows, with the frames of ``like``."""
    files = written.files(like)
    folder = next(iter(files.values())).parent
    subject, name = clip.split("/")[-2:]
    new = (folder.parent if subject == folder.parent.name else folder.parents[1] / subject) / name
    shutil.copytree(folder, new)
    written.note("unlabelled", "", f"{new.relative_to(written.root)} added")


def lock_folder(written: Written, clip: str) -> Path:
    """A folder without permission; the caller opens it again with ``chmod(0o755)``."""
    folder = next(iter(written.files(clip).values())).parent
    folder.chmod(0)
    written.note("unreadable", "", f"{folder.relative_to(written.root)} locked")
    written.note("no_folder", clip, "its folder is locked")
    return folder


def add_link_loop(written: Written) -> None:
    folder = next(iter(next(iter(written.files(written.ids[0]).values())).parents))
    (folder.parent / "again").symlink_to(written.root.resolve(), target_is_directory=True)
    written.note("link_loop", "", f"{folder.parent.relative_to(written.root)}/again leads to the root")


def add_strays(written: Written, count: int = 3) -> None:
    """Files that are neither frames nor sheets nor videos, here and there; Thumbs.db is the first of them."""
    (written.root / "Thumbs.db").write_bytes(b"thumbs")
    folder = written.root / "notes"
    folder.mkdir(exist_ok=True)
    for k in range(count - 1):
        (folder / f"note{k}.txt").write_bytes(b"note")
    written.note("stray_files", "", f"{count} files")


# Full size.


def plant_full(written: Written) -> None:
    """The faults of a full-size archive, some of each kind; those that the true files have come first.

    The clips are fixed ones of the public list, or the k-th of the archive. Every fault has a clip of its own.
    """
    name, ids = written.name, written.ids
    if name == "casme2":
        set_cell(written, "casme2/sub04/EP12_01f", "ApexFrame", "/", "no_apex")
        row = written.row("casme2/sub05/EP09_05f")
        set_cell(written, row.id, "ApexFrame", row.onset, "apex_at_onset")
        extra_folder(written, "casme2/sub09/EP02_02f", ids[40])
        extra_folder(written, "casme2/sub24/EP02_07", ids[200])
        apex, onset = "ApexFrame", "OnsetFrame"
    elif name == "samm":
        apex, onset = "Apex Frame", "Onset Frame"
    else:
        drop_row(written, "smic/s01/s01_ne_02")
        drop_row(written, "smic/s02/s02_sur_05")
        set_cell(written, "smic/s18/s18_sur_03", "Emotion", "negative", "erratum")
        set_cell(written, "smic/s03/s03_ne_20", "FirstF", "MISSING <-426679")
        apex, onset = "", "OnsetF"
    taken = {planted.clip for planted in written.planted} | {"smic/s03/s03_ne_20", "smic/s03/s03_po_05"}
    taken |= {"smic/s01/s01_ne_02", "smic/s02/s02_sur_05"}
    free = iter([ids[k] for k in range(7, len(ids), max(1, len(ids) // 20)) if ids[k] not in taken])
    if not apex:
        set_cell(written, "smic/s03/s03_po_05", "Emotion", "surprise", "label_conflict")
    else:
        clip = next(free)
        set_cell(written, clip, apex, written.row(clip).offset + 9, "apex_outside")
        set_cell(written, next(free), apex, "see notes", "bad_apex")
        remove_frame(written, next(free), "apex")
    set_cell(written, next(free), onset, "12 or 13", "bad_number")
    remove_frame(written, next(free), "onset")
    remove_frame(written, next(free), "offset")
    remove_frame(written, next(free), "between")
    remove_folder(written, next(free))
    truncate_frame(written, next(free))
    empty_frame(written, next(free))
    resize_frame(written, next(free))
    repeat_frame(written, next(free))
    double_number(written, next(free))
    add_link_loop(written)
    add_strays(written, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", action="store_true", help="three archives in full size, with planted faults")
    parser.add_argument("--clean", action="store_true", help="no faults")
    options = parser.parse_args()
    planted: dict[str, list[dict[str, str]]] = {}
    for name in list(WRITERS)[: 3 if options.full else None]:
        written = WRITERS[name](options.out / name, clips=None if options.full else 12)
        if options.full and not options.clean:
            plant_full(written)
        planted[name] = [asdict(one) for one in written.planted]
        sys.stdout.write(f"{written.root}: {len(written.rows)} clips, {len(written.planted)} faults\n")
    (options.out / "planted.json").write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
