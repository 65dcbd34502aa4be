"""Events to and from the programs of those who code behaviour, see docs/exchange.md.

``write(recording, path)`` and ``read(path)`` take the format from the name and from what is in the file; FORMATS has
them by name.
"""

from dfrnet.exchange.formats import FORMATS, Format, file_name, guess, read, write
from dfrnet.types import Recording

__all__ = ["FORMATS", "Format", "Recording", "file_name", "guess", "read", "write"]
