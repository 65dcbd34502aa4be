"""The composite of MEGC2019 (See et al., FG 2019): the 442 clips of its list, from three archives in one folder.

``megc2019.csv`` is the organisers' key (combined_3class_gt.csv): data set, subject, clip and class, with the ids
spelled as in this package. It holds no picture and no frame number.
"""

from __future__ import annotations

import re
from pathlib import Path

from dfrnet.types import UserError

PARTS = {"casme2": r"casme[\s_-]*(ii|2)(?![a-z0-9])", "samm": r"samm(?![\s_-]*l)", "smic": r"smic"}


def parts(root: Path) -> dict[str, Path]:
    """The folders of CASME II, SAMM and SMIC in ``root``, by data set; UserError unless there is just one of each."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; megc2019 wants one that holds those of CASME II, SAMM and SMIC")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = {}
    for name, pattern in PARTS.items():
        fitting = [path for path in folders if re.match(pattern, path.name.lower())]
        if len(fitting) != 1:
            if re.match(pattern, root.name.lower()):
                raise UserError(
                    f"{root}: this is {name} itself; megc2019 wants the folder above, which holds all three"
                )
            said = f"has {len(fitting)} folders ({', '.join(p.name for p in fitting)})" if fitting else "has no folder"
            raise UserError(
                f"{root}: {said} named like {name}; megc2019 wants one each of casme2, samm and smic: rename it, or "
                "give --data casme2=... --data samm=... --data smic=..."
            )
        found[name] = fitting[0]
    return found
