"""What libjpeg says of a JPEG whose data are damaged although its end is there.

It decodes such a file all the same, grey or garbled from the damage on, and neither OpenCV nor Pillow hands on that it
warned: it writes to the process's stderr and nowhere else. So while JPEGs are decoded, descriptor 2 leads to a file
that is looked at after each of them. What others write there meanwhile goes on to stderr afterwards.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STDERR = 2
MAX_PADDING_BYTES = 2  # cameras leave that many before the end mark, and the picture is whole
_SAYS = re.compile(
    rb"^(?:Corrupt JPEG data: (?:(\d+) extraneous bytes before marker 0xd9|.*)|Premature end of JPEG file)\s*$"
)
_alone = threading.Lock()  # the descriptor is the process's


@contextmanager
def damage_heard() -> Iterator[Callable[[], bool]]:
    """A function that says whether libjpeg has told of damage since it was last asked."""
    with _alone, tempfile.TemporaryFile() as heard:
        try:
            stderr = os.dup(STDERR)
        except OSError:  # a process without one, where nothing can be heard
            yield lambda: False
            return
        os.dup2(heard.fileno(), STDERR)
        place = 0

        def damaged() -> bool:
            nonlocal place
            size = os.fstat(heard.fileno()).st_size
            if size == place:
                return False
            said, place = os.pread(heard.fileno(), size - place, place), size
            return any(map(_tells_damage, said.splitlines()))

        try:
            yield damaged
        finally:
            os.dup2(stderr, STDERR)
            heard.seek(0)
            for line in heard.read().splitlines(keepends=True):
                if not _SAYS.match(line):
                    os.write(STDERR, line)
            os.close(stderr)


def _tells_damage(line: bytes) -> bool:
    """Whether a line on stderr is libjpeg's and tells of more than padding."""
    said = _SAYS.match(line)
    return said is not None and not (said[1] and int(said[1]) <= MAX_PADDING_BYTES)
