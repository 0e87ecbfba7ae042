"""Who listens where: the sockets of this process and all that it started, as the kernel tells."""

from __future__ import annotations

import os
from pathlib import Path

_LISTENS = "0A"


def addresses(process: int | None = None) -> dict[str, set[str]]:
    """The hexadecimal addresses on which a process and its descendants listen, by the name of the program."""
    places = {}
    for kind in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS:
                places[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    found: dict[str, set[str]] = {}
    for each in _family(process or os.getpid()):
        try:
            held = {os.readlink(file) for file in Path(f"/proc/{each}/fd").iterdir()}
            name = Path(f"/proc/{each}/comm").read_text().strip()
        except OSError:
            continue
        for socket in held & places.keys():
            found.setdefault(name, set()).add(places[socket])
    return found


def is_loopback(address: str) -> bool:
    """Whether an address, as the kernel writes it, is 127.0.0.0/8 or ::1."""
    v4 = len(address) == 8
    mapped = address.startswith("0000000000000000FFFF0000")
    return address[-2:] == "7F" if v4 or mapped else address == "00000000000000000000000001000000"


def _family(process: int) -> set[int]:
    """A process and its descendants."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {process}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family
