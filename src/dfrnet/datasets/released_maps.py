"""Motion maps that were published without frames: the layout of the public HTNet repository.

Anyone who cloned that repository has the 442 clips of MEGC2019 as onset-to-apex motion, with no licence request:

- ``combined_3_class2_for_optical_flow.csv``: one row a clip: dataset, sub, filename_o, label (0 negative, 1 positive,
  2 surprise), imagename.
- ``datasets/STSNet_whole_norm_u_v_os/<sub>_<filename_o> .png`` (a space before ``.png``): 28x28, 8-bit RGB: red u,
  green v, blue optical strain, each stretched to 0..255 within the clip, so its magnitude and its zero are lost.
- ``datasets/combined_datasets_whole/<imagename>`` (may be absent): one face picture a clip, offered as map ``apex``.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from pathlib import Path

from dfrnet.types import CLASSES, Clip, MapFile, UserError

log = logging.getLogger(__name__)

SHEET = "combined_3_class2_for_optical_flow.csv"
FLOW_FOLDER = Path("datasets", "STSNet_whole_norm_u_v_os")
APEX_FOLDER = Path("datasets", "combined_datasets_whole")
COLUMNS = ("dataset", "sub", "filename_o", "label")
HEADER = (*COLUMNS, "apex", "imagename", "sub_filename")
CHANNELS = ("u", "v", "strain")
"""What a map's red, green and blue are."""
SIZE = 28


def load(root: str) -> list[Clip]:
    """All clips of the sheet, in its order; UserError names the row whose map or label is missing."""
    folder = Path(root)
    rows = _read_sheet(folder / SHEET)
    flows = _pictures(folder / FLOW_FOLDER)
    apexes = _pictures(folder / APEX_FOLDER) if (folder / APEX_FOLDER).is_dir() else {}
    if apexes:
        log.warning(
            "%s: face pictures found and offered as the map 'apex'; for SMIC they show the last frame, not the apex",
            folder / APEX_FOLDER,
        )
    clips = [_clip(folder, number, row, flows, apexes) for number, row in rows.items()]
    first: dict[str, int] = {}
    for number, clip in zip(rows, clips, strict=True):
        if clip.id in first:
            raise UserError(f"{folder / SHEET}, rows {first[clip.id]} and {number}: clip {clip.id} twice; remove one")
        first[clip.id] = number
    return clips


def _clip(folder: Path, number: int, row: dict[str, str], flows: dict[str, Path], apexes: dict[str, Path]) -> Clip:
    where = f"{folder / SHEET}, row {number}"
    dataset, subject, name = (row[column].strip() for column in COLUMNS[:3])
    label = row["label"].strip()
    if label not in {"0", "1", "2"}:
        raise UserError(f"{where}: label {label!r} of clip {name} is not 0, 1 or 2; restore the sheet from the clone")
    key = map_key(f"{subject}_{name}")
    if key not in flows:
        raise UserError(
            f"{where}: no map for clip {name} of {subject} in {folder / FLOW_FOLDER}; restore '{subject}_{name} .png'"
        )
    maps = {map_name: MapFile(flows[key], channel) for channel, map_name in enumerate(CHANNELS)}
    image = map_key(Path((row.get("imagename") or "").strip()).stem)
    if image in apexes:
        maps["apex"] = MapFile(apexes[image])
    return Clip(
        id=f"{dataset}/{subject}/{name}",
        dataset=dataset,
        subject=f"{dataset}/{subject}",
        label=CLASSES[int(label)],
        maps=maps,
    )


def _read_sheet(path: Path) -> dict[int, dict[str, str]]:
    """The rows that are not blank, by their number in the file."""
    if not path.is_file():
        raise UserError(f"{path}: no such sheet; --data maps=PATH wants the folder of a clone of the HTNet repository")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; restore the sheet from the clone") from None
    reader = csv.DictReader(io.StringIO(text), restkey="more")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise UserError(
            f"{path}: column {', '.join(missing)} is missing (it has {', '.join(reader.fieldnames or ())}); "
            "restore the sheet from the clone"
        )
    rows: dict[int, dict[str, str]] = {}
    for row in reader:
        filled = [column for column in COLUMNS if (row[column] or "").strip()]
        if filled and len(filled) < len(COLUMNS):
            raise UserError(
                f"{path}, row {reader.line_num}: one of {', '.join(COLUMNS)} is empty; restore the sheet from the clone"
            )
        if filled:
            rows[reader.line_num] = row
    if not rows:
        raise UserError(f"{path}: no clip in it; restore the sheet from the clone")
    return rows


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; --data maps=PATH wants the folder of a clone of the HTNet repository"
        )
    return {map_key(path.stem): path for path in folder.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg"}}


def map_key(name: str) -> str:
    """One spelling of an id: ``s03_s3_ne_01`` and ``s03_s03_ne_01 `` agree without spaces and leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.strip().lower())
