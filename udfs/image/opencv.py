"""OpenCV held to one thread and one arithmetic.

Spark and Ray give each core a process, so OpenCV's own threads only fight; IPP takes other paths on other makers'
processors, so rows would not be the same bytes everywhere. Both are settings of the process and are made where images
are worked on, not at import.
"""

from __future__ import annotations

import cv2


def steady_opencv() -> None:
    """One thread, no IPP, no chatter about bad files on stderr. Cheap enough for every batch."""
    cv2.setNumThreads(0)
    cv2.ipp.setUseIPP(False)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
