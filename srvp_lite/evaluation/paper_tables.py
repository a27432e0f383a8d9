"""The paper's tables, and ours beside them. The paper's values stand in `presets`, with its protocols."""

from __future__ import annotations

import html

from srvp_lite.config import config_from_dict
from srvp_lite.evaluation.results import Results
from srvp_lite.metrics.table import METRICS
from srvp_lite.presets import PaperProtocol, Value, paper_protocol, paper_protocols

ARROWS = {"higher": "↑", "lower": "↓"}  # which way is better


def our_values(results: Results) -> dict[str, Value]:
    """The numbers of an evaluation that belong beside the paper's: best of all samples, of metrics that measure what
    the paper's do. Ours of FVD does not: the port to PyTorch resizes frames in another way."""
    best = {name: m.best_of[results.protocol.n_samples] for name, m in results.metrics.items()}
    return {name: (v["mean"], v["interval"]) for name, v in best.items() if METRICS[name].as_in_paper}


def comparison(dataset: str, ours: dict[str, Results], form: str = "markdown") -> str:
    """The paper's table of a data set with our results below, each under its name; empty cells are unknown.

    `ours` holds results of `evaluate`; `form` is "markdown", "html" or "latex". Raises ValueError for a data set
    without a table, and for results of another protocol, which would not be comparable.
    """
    papers = paper_protocols()
    if dataset not in papers:
        raise ValueError(f"the paper has no table for {dataset!r}; there are {', '.join(papers)}")
    paper = papers[dataset]
    rows = dict(paper.table.rows)
    for name, results in ours.items():
        p = results.protocol
        got = (p.n_cond, p.n_cond + p.n_predicted, p.n_samples, p.n_clips)
        expected = (paper.n_cond, paper.n_frames, paper.n_samples, paper.n_clips)
        if got != expected:
            raise ValueError(
                f"{name} was not measured by the paper's protocol: frames given, frames, samples and clips are {got}, "
                f"the paper's {expected}; evaluate it with --protocol paper"
            )
        if (other := other_test(paper, results)) is not None:
            raise ValueError(f"{name} was not measured as the paper's table was: {other}")
        rows[f"{name} (ours)"] = our_values(results)
    shown = {m: row for m, row in METRICS.items() if any(m in values for values in rows.values())}
    head = ["", *(f"{row.label} {ARROWS[row.better]}" for row in shown.values())]
    body = [
        [name, *(cell(values.get(m), row.digits, form) for m, row in shown.items())] for name, values in rows.items()
    ]
    return {"markdown": markdown, "html": as_html, "latex": latex}[form](
        paper.table.title, head, body, paper.table.note
    )


def other_test(paper: PaperProtocol, results: Results) -> str | None:
    """What about results, beside their counts, makes them another test than the paper's; None if nothing does."""
    made = results.made
    if "data" not in made or "frame_size" not in made:
        return "it does not say on what data; write it with srvp-lite evaluate --out"
    if paper_protocol(config_from_dict("data", made["data"])) != paper or made["frame_size"] != 64:
        return f"its data are {made['data']}, frames of {made['frame_size']} pixels"
    if paper.test_set_sha256 is not None and made.get("test_set_sha256") != paper.test_set_sha256:
        return "its test clips are not the official ones"
    if results.protocol.steps_per_frame is not None:
        return f"it made {results.protocol.steps_per_frame} Euler steps per frame, not the model's own number"
    return None


def cell(value: Value | None, digits: int, form: str) -> str:
    if value is None:
        return ""
    number, interval = value if isinstance(value, tuple) else (value, None)
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
