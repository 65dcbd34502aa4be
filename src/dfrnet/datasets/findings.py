"""What may be wrong with a data set as it lies on disk: one sentence each, with how bad it is."""

from __future__ import annotations

from dataclasses import dataclass

UNUSABLE, WARNING, NOTE = "unusable", "warning", "note"
"""The clip is left out; it is used but something was amiss; good to know."""

SEVERITIES = {
    "no_folder": UNUSABLE,
    "no_frames": UNUSABLE,
    "no_onset": UNUSABLE,
    "no_offset": UNUSABLE,
    "no_emotion": UNUSABLE,
    "bad_number": UNUSABLE,
    "order": UNUSABLE,
    "undecodable": UNUSABLE,
    "sizes": UNUSABLE,
    "bad_apex": WARNING,
    "twice": WARNING,
    "apex_outside": WARNING,
    "apex_missing": WARNING,
    "apex_at_onset": WARNING,
    "offset_from_apex": WARNING,
    "short": WARNING,
    "gap": WARNING,
    "duplicate_number": WARNING,
    "duplicate_file": WARNING,
    "damaged": WARNING,
    "no_row": WARNING,
    "other_tree": WARNING,
    "two_folders": WARNING,
    "bad_sheet": WARNING,
    "unused_sheet": WARNING,
    "bad_fps": WARNING,
    "odd_size": WARNING,
    "label_conflict": WARNING,
    "no_column": WARNING,
    "unreadable": WARNING,
    "no_apex": NOTE,
    "unlabelled": NOTE,
    "two_sheets": NOTE,
    "stray_row": NOTE,
    "stray_files": NOTE,
    "link_loop": NOTE,
}
"""Every kind of finding there is."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. ``clip`` is the clip's id, or "" where it concerns no single clip."""

    kind: str
    clip: str
    sentence: str

    @property
    def severity(self) -> str:
        return SEVERITIES[self.kind]
