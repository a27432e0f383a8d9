"""The paper's tables, and ours beside them.

Values are those of the paper and of its authors' slides, with 95 % intervals where a later paper reprints them
(SLAMP, arXiv 2108.02760). None stands for a number that none of these gives. Where the sources disagree, both values
are kept in a note.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

METRICS = {"psnr": ("PSNR", 2, "↑"), "ssim": ("SSIM", 4, "↑"), "lpips": ("LPIPS", 4, "↓"), "fvd": ("FVD", 0, "↓")}

Values = dict[str, tuple[float, float | None]]


@dataclass(frozen=True)
class PaperTable:
    """One data set of the paper."""

    title: str
    rows: dict[str, Values]
    """Of each method, its metrics: value and half width of the 95 % interval, if known."""
    note: str = ""


def values(psnr=None, ssim=None, lpips=None, fvd=None) -> Values:
    given = {"psnr": psnr, "ssim": ssim, "lpips": lpips, "fvd": fvd}
    return {k: v if isinstance(v, tuple) else (v, None) for k, v in given.items() if v is not None}


PAPER = {
    "smmnist": PaperTable(
        "Stochastic Moving MNIST, 5 → 20 frames",
        {
            "SVG": values((14.50, 0.04), (0.7090, 0.0015)),
            "SRVP, GRU transition": values(15.80, 0.7464),
            "SRVP, MLP transition": values(16.55, 0.7694),
            "SRVP": values((16.93, 0.07), (0.7799, 0.0020)),
        },
    ),
    "mmnist": PaperTable(
        "Deterministic Moving MNIST, 5 → 95 frames",
        {
            "SVG": values(12.85, 0.6185),
            "SRVP, GRU transition": values(13.17, 0.6237),
            "SRVP, MLP transition": values(16.70, 0.7876),
            "SRVP without z": values(14.99, 0.4757),
            "SRVP": values(18.25, 0.8300),
        },
    ),
    "kth": PaperTable(
        "KTH, 10 → 30 frames",
        {
            "SV2P": values(28.19, 0.8141, 0.2049, 636),
            "SAVP": values(26.51, 0.7564, 0.1120, 374),
            "SVG": values(28.06, 0.8438, 0.0923, 377),
            "SRVP": values(29.69, 0.8697, 0.0736, 222),
        },
        "SV2P's SSIM is 0.838 in another source.",
    ),
    "human36m": PaperTable(
        "Human3.6M, 8 → 45 frames",
        {"StructVRNN": values(24.46, None, 0.0557, 556), "SRVP": values(25.30, None, 0.0509, 416)},
        "The sources give no SSIM.",
    ),
    "bair": PaperTable(
        "BAIR robot pushing, 2 → 28 frames",
        {
            "SV2P": values(20.39, 0.8169, 0.0912, 965),
            "SAVP": values(18.44, 0.7887, 0.0634, 152),
            "SVG": values(18.95, 0.8058, 0.0609, 255),
            "SRVP": values(19.59, 0.8196, 0.0574, 163),
        },
        "SRVP's FVD is 162 in another source.",
    ),
}


def our_values(results: dict) -> Values:
    """The numbers of a results file that belong beside the paper's: best of all samples. FVD is left out: the port to
    PyTorch does not measure what the paper measured."""
    n = str(results["protocol"]["n_samples"])
    return {
        name: (results[name]["best_of"][n]["mean"], results[name]["best_of"][n]["interval"])
        for name in ("psnr", "ssim", "lpips")
        if name in results
    }


def comparison(dataset: str, ours: dict[str, dict], form: str = "markdown") -> str:
    """The paper's table of a data set with our results below, each under its name; empty cells are unknown.

    `ours` holds results of `evaluate`; `form` is "markdown", "html" or "latex". Raises ValueError for a data set
    without a table, and for results of another protocol, which would not be comparable.
    """
    from srvp_lite.presets import PROTOCOLS

    if dataset not in PAPER:
        raise ValueError(f"the paper has no table for {dataset!r}; there are {', '.join(PAPER)}")
    paper, protocol = PAPER[dataset], PROTOCOLS[dataset]
    rows = dict(paper.rows)
    for name, results in ours.items():
        p = results["protocol"]
        got = (p["n_cond"], p["n_cond"] + p["n_predicted"], p["n_samples"], p["n_clips"])
        expected = (protocol.n_cond, protocol.n_frames, protocol.n_samples, protocol.n_clips)
        if got != expected:
            raise ValueError(
                f"{name} was not measured by the paper's protocol: frames given, frames, samples and clips are {got}, "
                f"the paper's {expected}; evaluate it with --protocol paper"
            )
        if (other := other_test(dataset, results)) is not None:
            raise ValueError(f"{name} was not measured as the paper's table was: {other}")
        rows[f"{name} (ours)"] = our_values(results)
    shown = [m for m in METRICS if any(m in row for row in rows.values())]
    head = ["", *(f"{METRICS[m][0]} {METRICS[m][2]}" for m in shown)]
    body = [[name, *(cell(row.get(m), METRICS[m][1], form) for m in shown)] for name, row in rows.items()]
    return {"markdown": markdown, "html": as_html, "latex": latex}[form](paper.title, head, body, paper.note)


def other_test(dataset: str, results: dict) -> str | None:
    """What about a results file, beside its counts, makes it another test than the paper's; None if nothing does."""
    from srvp_lite.config import MovingDigitsConfig, VideoConfig
    from srvp_lite.data.prepare import TEST_SETS_SHA256
    from srvp_lite.presets import paper_dataset

    made = results.get("made", {})
    if "data" not in made or "frame_size" not in made:
        return "it does not say on what data; write it with srvp-lite evaluate --out"
    data = (VideoConfig if "dataset" in made["data"] else MovingDigitsConfig)(**made["data"])
    if paper_dataset(data) != dataset or made["frame_size"] != 64:
        return f"its data are {made['data']}, frames of {made['frame_size']} pixels"
    if dataset in TEST_SETS_SHA256 and made.get("test_set_sha256") != TEST_SETS_SHA256[dataset]:
        return "its test clips are not the official ones"
    if results["protocol"].get("steps_per_frame") is not None:
        return f"it made {results['protocol']['steps_per_frame']} Euler steps per frame, not the model's own number"
    return None


def cell(value: tuple[float, float | None] | None, digits: int, form: str) -> str:
    if value is None:
        return ""
    number, interval = value
    sign = r" $\pm$ " if form == "latex" else " ± "
    return f"{number:.{digits}f}" + ("" if interval is None else f"{sign}{interval:.{digits}f}")


def markdown(title: str, head: list[str], body: list[list[str]], note: str) -> str:
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in body]
    return "\n".join(lines + (["", note] if note else []))


def as_html(title: str, head: list[str], body: list[list[str]], note: str) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    caption = html.escape(f"{title}. {note}".strip())
    return (
        f"<table><caption>{caption}</caption><thead>{row(head, 'th')}</thead><tbody>"
        + "".join(row(r, "td") for r in body)
        + "</tbody></table>"
    )


def latex(title: str, head: list[str], body: list[list[str]], note: str) -> str:
    def row(cells: list[str]) -> str:
        arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "&": r"\&", "%": r"\%", "_": r"\_"}
        escaped = ["".join(arrows.get(c, c) for c in text) for text in cells]
        return " & ".join(escaped) + r" \\"

    title = title.replace("→", r"$\to$")
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\hline", row(head), r"\hline", *map(row, body)]
    return "\n".join([f"% {title}. {note}".rstrip(), *lines, r"\hline", r"\end{tabular}"])
