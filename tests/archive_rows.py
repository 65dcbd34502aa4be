"""Rows that nobody annotated: what the fake archives of :mod:`archives` show and say."""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

OFFICIAL = Path(__file__).parents[1] / "src" / "dfrnet" / "datasets" / "megc2019.csv"
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
