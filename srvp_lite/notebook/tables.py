"""Tables that a notebook shows as HTML and a terminal as text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML and a terminal as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def _repr_html_(self) -> str:
        def row(cells, tag):
            first, *others = cells
            return (
                f"<tr><th style='text-align:left'>{first}</th>"
                + "".join(f"<{tag} style='text-align:right'>{c}</{tag}>" for c in others)
                + "</tr>"
            )

        body = "".join(row(r, "td") for r in self.rows)
        caption = f'<figcaption style="margin-top:.4em">{self.caption}</figcaption>' if self.caption else ""
        return (
            f'<figure class="srvp-figure srvp-table" style="margin:1em 0;overflow-x:auto"><table><thead>'
            f"{row(self.head, 'th')}</thead><tbody>{body}</tbody></table>{caption}</figure>"
        )

    def __repr__(self) -> str:
        widths = [max(len(r[i]) for r in (self.head, *self.rows)) for i in range(len(self.head))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)) for r in (self.head, *self.rows))


def results_table(results: dict[str, dict]) -> Table:
    """Results of `srvp-lite evaluate` side by side: PSNR and SSIM for each name, one row a kind of prediction."""
    first = next(iter(results.values()))
    counts = list(first["psnr"]["best_of"])
    kinds = [(f"model, best of {n}", lambda m, n=n: m["best_of"][n]) for n in reversed(counts) if n != "1"]
    kinds += [
        ("model, one sample", lambda m: m["expected"]),
        ("mean frame", lambda m: m["mean_frame"]),
        ("copy last", lambda m: m["copy_last"]),
    ]
    columns = [(name, metric, digits) for name in results for metric, digits in (("psnr", 2), ("ssim", 3))]
    rows = tuple((kind, *(cell(pick(results[n][m]), digits) for n, m, digits in columns)) for kind, pick in kinds)
    head = ("", *(f"{name} {'PSNR (dB)' if metric == 'psnr' else 'SSIM'}" for name, metric, _ in columns))
    p, made = first["protocol"], first["made"]
    caption = (
        f"{p['n_clips']} held-out clips, {p['n_cond']} frames given, {p['n_predicted']} predicted, mean ± 95 %. "
        f"Made by <code>{made['command']}</code>, seed {p['seed']}, commit {made['commit']}, on {made['device']}."
    )
    return Table(head, rows, caption)


def cell(value: dict[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} ± {value['interval']:.{digits}f}"
