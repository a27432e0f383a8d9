"""The map of SRVP: one drawn figure, with the part a chapter is about lit and the rest grey.

It shows three frames of a clip. Time runs to the right, data from the true frames at the bottom to the decoded ones
at the top. The book opens every chapter with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from srvp_lite.plot import Picture

PARTS = {
    "frames": "the true frames x",
    "encoder": "the frame encoder",
    "q_y": "the posterior of the first state, q(y_1)",
    "lstm": "the LSTM behind the posterior of z",
    "z": "the noise z",
    "prior": "the prior p(z | y)",
    "f": "the residual function f",
    "y": "the state y",
    "w": "the content variable w",
    "decoder": "the frame decoder g",
    "output": "the decoded frames",
}
LIT, LIT_FILL, DIM, DIM_FILL = "#B45309", "#FDE9C8", "#9AA3AF", "#F3F4F6"
COLUMNS = (190, 380, 570)  # where the three frames stand
BETWEEN = (285, 475)  # where z and f stand
ROWS = {"output": 40, "decoder": 104, "y": 178, "z": 252, "lstm": 318, "encoder": 384, "frames": 448}
W_COLUMN = 60


def model_map(lit: Iterable[str] = PARTS, caption: str = "") -> Picture:
    """The map as a picture for a notebook, with the parts named in `lit` (keys of PARTS) in colour; all by default."""
    lit = list(lit)
    unknown = set(lit) - PARTS.keys()
    if unknown:
        raise ValueError(f"the map has no part {', '.join(sorted(unknown))}; its parts are {', '.join(PARTS)}")
    words = "all of it" if len(lit) == len(PARTS) else ", ".join(PARTS[p] for p in lit)
    alt = f"Map of SRVP over three frames, from true frames at the bottom to decoded ones at the top. Lit: {words}."
    return Picture(svg(set(lit)).encode(), "image/svg+xml", alt, caption, 680)


def svg(lit: set[str]) -> str:
    """The drawing: arrows first, so that the shapes lie on them."""
    parts = []

    def colours(part: str) -> tuple[str, str]:
        return (LIT, LIT_FILL) if part in lit else (DIM, DIM_FILL)

    def arrow(part: str, *points: tuple[float, float], dashed: bool = False) -> None:
        line = " ".join(f"{x},{y}" for x, y in points)
        head = "lit" if part in lit else "dim"
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colours(part)[0]}" stroke-width="1.8"{dash} '
            f'marker-end="url(#{head})"/>'
        )

    def label(part: str, x: float, y: float, name: str, index: str = "", size: int = 17) -> None:
        sub = f'<tspan dy="5" font-size="{size - 5}">{index}</tspan>' if index else ""
        colour = "#7C2D12" if part in lit else "#6B7280"
        parts.append(
            f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="{size}" fill="{colour}">{name}{sub}</text>'
        )

    def circle(part: str, x: float, y: float, name: str, index: str = "") -> None:
        stroke, fill = colours(part)
        parts.append(f'<circle cx="{x}" cy="{y}" r="21" fill="{fill}" stroke="{stroke}" stroke-width="2"/>')
        label(part, x, y, name, index)

    def box(part: str, x: float, y: float, text: str, index: str = "", width: int = 92, height: int = 34) -> None:
        stroke, fill = colours(part)
        parts.append(
            f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" rx="7" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="2"/>'
        )
        label(part, x, y, text, index, 15)

    r = ROWS
    for i, x in enumerate(COLUMNS):
        arrow("encoder", (x, r["frames"] - 20), (x, r["encoder"] + 19))
        arrow("decoder", (x, r["y"] - 22), (x, r["decoder"] + 19))
        arrow("output", (x, r["decoder"] - 18), (x, r["output"] + 19))
        if i:  # from encodings to z
            arrow("lstm", (x - 24, r["encoder"] - 18), (BETWEEN[i - 1] + 18, r["lstm"] + 19))
    arrow("lstm", (COLUMNS[0] + 24, r["encoder"] - 18), (BETWEEN[0] - 18, r["lstm"] + 19))
    arrow("q_y", (COLUMNS[0], r["encoder"] - 18), (COLUMNS[0], r["lstm"] + 19))
    arrow("q_y", (COLUMNS[0], r["lstm"] - 18), (COLUMNS[0], r["y"] + 23))
    arrow("lstm", (BETWEEN[0] + 36, r["lstm"]), (BETWEEN[1] - 37, r["lstm"]))
    for i, x in enumerate(BETWEEN):
        arrow("lstm", (x, r["lstm"] - 18), (x, r["z"] + 23))
        arrow("f", (COLUMNS[i] + 22, r["y"]), (x - 31, r["y"]))
        arrow("f", (x, r["z"] - 22), (x, r["y"] + 19))
        arrow("f", (x + 30, r["y"]), (COLUMNS[i + 1] - 23, r["y"]))
        arrow("prior", (COLUMNS[i] + 18, r["y"] + 14), (x - 20, r["z"] - 10), dashed=True)
    arrow("w", (COLUMNS[0] - 47, r["encoder"]), (W_COLUMN, r["encoder"]), (W_COLUMN, r["y"] + 23))
    arrow("w", (W_COLUMN, r["y"] - 22), (W_COLUMN, r["decoder"]), (COLUMNS[0] - 48, r["decoder"]))

    circle("w", W_COLUMN, r["y"], "w")
    for i, x in enumerate(COLUMNS, 1):
        for part, name in (("frames", "x"), ("output", "x̂")):
            box(part, x, r[part], name, str(i), 36, 36)
        box("encoder", x, r["encoder"], "encoder")
        box("decoder", x, r["decoder"], "decoder g")
        circle("y", x, r["y"], "y", str(i))
    box("q_y", COLUMNS[0], r["lstm"], "q(y", "1", width=70)
    parts[-1] = parts[-1].replace("</tspan></text>", '</tspan><tspan dy="-5">)</tspan></text>')
    for i, x in enumerate(BETWEEN, 2):
        box("lstm", x, r["lstm"], "LSTM", width=70)
        circle("z", x, r["z"], "z", str(i))
        box("f", x, r["y"], "+ f", width=58)
    label("prior", BETWEEN[1] - 68, r["z"] - 10, "p(z | y)", size=14)
    label("w", W_COLUMN + 20, r["encoder"] + 16, "k frames", size=13)
    label("w", W_COLUMN + 22, r["decoder"] - 16, "every decoder", size=13)
    label("q_y", COLUMNS[0] - 38, r["y"] + 60, "k frames", size=13)

    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6.5" markerHeight="6.5" '
        f'orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="{colour}"/></marker>'
        for name, colour in (("lit", LIT), ("dim", DIM))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 490" font-family="Georgia, serif" '
        f'font-style="italic"><defs>{heads}</defs><rect width="660" height="490" fill="#FFFFFF"/>{"".join(parts)}</svg>'
    )
