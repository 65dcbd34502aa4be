"""Folders that appear whole or not at all, and what a killed process left of its own."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = re.compile(r"\.dfrnet-([0-9a-f]{8})-(\d+)-\w+\.part")
"""Of a draft: which machine, and which process of it."""


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to be filled, which takes its name at the end and is removed on any error."""
    prefix = f".dfrnet-{_machine()}-{os.getpid()}-"
    temporary = Path(tempfile.mkdtemp(prefix=prefix, suffix=".part", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp keeps others out
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_stale(parent: Path) -> None:
    """Remove the drafts in ``parent`` whose process has ended; those of other machines may be at work."""
    for path in list(parent.iterdir()):
        match = NAME.fullmatch(path.name)
        if match and match[1] == _machine() and not _lives(int(match[2])):
            shutil.rmtree(path, ignore_errors=True)


def _machine() -> str:
    """Where the numbers of processes are the same: containers of one host name may share a folder, but not those."""
    names = [platform.node()]
    with suppress(OSError):  # what Linux has
        names += [str(Path("/proc/self/ns/pid").readlink()), Path("/proc/sys/kernel/random/boot_id").read_text()]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    if os.name == "nt":  # there, asking with a signal would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
