"""Draws the rooms of the package and the arrows between them, read from the imports, into CONTRIBUTING.md.

    python book/_scripts/rooms.py            # prints them
    python book/_scripts/rooms.py --write    # replaces what stands between the markers in CONTRIBUTING.md

An arrow goes from a room to one whose files it imports, inside functions too. In the picture an arrow is left out when
a longer way says the same.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from test_rooms import FACES, circles, files_of, imports_of  # noqa: E402 - the guard reads the same imports

PACKAGE = ROOT / "srvp_lite"
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: made by book/_scripts/rooms.py -->", "<!-- end of rooms -->"
BEFORE = {"at the top of the package": "40", "layers": "14", "arrows": "140", "circles": "1"}  # folders as nodes


def rooms_below() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    files = files_of(PACKAGE)
    below = {name.split(".")[0]: set() for name in files}
    for name, path in files.items():
        below[name.split(".")[0]] |= {target.split(".")[0] for _, target in imports_of(path, PACKAGE, files)}
    return {room: known - {room} - FACES for room, known in below.items() if room not in FACES}


def layers(below: dict[str, set[str]]) -> list[list[str]]:
    """Rooms by the length of the longest way down from them; the lowest first."""
    depth: dict[str, int] = {}

    def deep(room: str) -> int:
        if room not in depth:
            depth[room] = max((deep(known) + 1 for known in below[room]), default=0)
        return depth[room]

    found: list[list[str]] = [[] for _ in range(max(map(deep, below)) + 1)]
    for room in sorted(below):
        found[depth[room]].append(room)
    return found


def needed(below: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way replaces."""

    def reach(room: str) -> set[str]:
        return below[room].union(*(reach(known) for known in below[room]))

    return [
        (room, known)
        for room in sorted(below)
        for known in sorted(below[room])
        if not any(known in reach(other) for other in below[room] - {known})
    ]


def drawing() -> str:
    below = rooms_below()
    levels = layers(below)
    entries = len([p for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()])
    n_arrows = sum(map(len, below.values()))
    after = dict(zip(BEFORE, map(str, (entries, len(levels), n_arrows, len(circles(PACKAGE))))))
    picture = "\n".join(["flowchart TD", *(f"    {room} --> {known}" for room, known in needed(below))])
    rows = "\n".join(
        f"| {len(levels) - i} | {', '.join(f'`{room}`' for room in level)} |" for i, level in enumerate(levels[::-1])
    )
    numbers = "\n".join(f"| {what} | {BEFORE[what]} | {after[what]} |" for what in BEFORE)
    return (
        f"```mermaid\n{picture}\n```\n\n| layer | rooms, each importing from lower layers only |\n|---|---|\n{rows}\n\n"
        f"| | before the rooms | now |\n|---|---|---|\n{numbers}\n"
    )


def with_drawing(page: str) -> str:
    return re.sub(rf"(?<={BEGIN}\n)[\s\S]*(?={END})", lambda _: f"\n{drawing()}\n", page)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(with_drawing(PAGE.read_text()))
    else:
        print(drawing())
