"""Damage to a fake archive: each function notes in ``planted`` what a reader should find, so that a test can compare.

    PYTHONPATH=src python tests/archive_faults.py OUT --full

writes CASME II, SAMM and SMIC-HS in full size (255, 159 and 164 clips) to ``OUT/casme2``, ``OUT/samm`` and
``OUT/smic``, with the faults of :func:`plant_full`, and what was planted to ``OUT/planted.json``. Without ``--full``:
12 clips each of all six data sets, unharmed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import cv2

from archive_rows import Cell
from archives import WRITERS, Written, encoded

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
    # SMIC has no apex, so that every frame of a clip is looked at for one.
    written.note("sizes" if written.name == "smic" else "odd_size", clip, f"{path.name} half as large")


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
