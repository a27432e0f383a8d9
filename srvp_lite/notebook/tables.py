"""Tables that a notebook shows as HTML and a terminal as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from srvp_lite.evaluation.results import MetricResults, Results
from srvp_lite.metrics.table import METRICS


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML and a terminal as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
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


def results_table(results: dict[str, Results]) -> Table:
    """Results of `srvp-lite evaluate` side by side: the metrics that need no weights for each name, one row a kind of
    prediction."""
    first = next(iter(results.values()))
    counts = sorted({n for m in first.metrics.values() for n in m.best_of if n != 1}, reverse=True)
    kinds: list[tuple[str, Callable[[MetricResults], dict[str, float] | None]]] = [
        *((f"model, best of {n}", lambda m, n=n: m.best_of.get(n)) for n in counts),
        ("model, one sample", lambda m: m.expected),
        ("mean frame", lambda m: m.mean_frame),
        ("copy last", lambda m: m.copy_last),
    ]
    columns = [
        (name, metric, row)
        for name, r in results.items()
        for metric, row in METRICS.items()
        if metric in r.metrics and not row.needs_weights
    ]
    rows = tuple(
        (kind, *(cell(pick(results[name].metrics[metric]), row.digits) for name, metric, row in columns))
        for kind, pick in kinds
    )
    head = ("", *(f"{name} {row.label}{f' ({row.unit})' if row.unit else ''}" for name, _, row in columns))
    p, made = first.protocol, first.made
    caption = (
        f"{p.n_clips} held-out clips, {p.n_cond} frames given, {p.n_predicted} predicted, mean ± 95 %. "
        f"Made by <code>{made['command']}</code>, seed {p.seed}, commit {made['commit']}, on {made['device']}."
    )
    return Table(head, rows, caption)


def cell(value: dict[str, float] | None, digits: int) -> str:
    return "" if value is None else f"{value['mean']:.{digits}f} ± {value['interval']:.{digits}f}"
