"""What a check answers, and the little that all checks share."""

from __future__ import annotations

import functools
import html
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

SIGNS = {"passed": "✓", "wrong": "✗", "open": "○"}


class Diagnosis(Exception):
    """Raised inside a check: what is wrong with the answer, in a sentence for the reader."""


@dataclass(frozen=True)
class Result:
    """The answer of a check: true when the exercise is solved. A notebook shows it as a line with a sign."""

    status: str
    """"passed", "wrong", or "open" where nothing was written yet."""
    message: str

    def __bool__(self) -> bool:
        return self.status == "passed"

    def __repr__(self) -> str:
        return f"{SIGNS[self.status]} {self.message}"

    def _repr_html_(self) -> str:
        colour = {"passed": "#00875F", "wrong": "#D55E00", "open": "#6B7280"}[self.status]
        message = html.escape(self.message).replace("\n", "<br>")
        return (
            f'<div class="srvp-check" style="border-left:4px solid {colour};padding:.3em .8em">'
            f'<b style="color:{colour}">{SIGNS[self.status]}</b> {message}</div>'
        )


def exercise(praise: str) -> Callable:
    """Makes a check of a function that raises Diagnosis when the answer is wrong; `praise` is said when it is right.

    A stub that raises NotImplementedError, or returns None or `...`, is open; an answer that stops with another error
    is wrong, and the error and the reader's own line are told.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., Result]:
        @functools.wraps(check)
        def run(*answer: Any) -> Result:
            if any(a is None or a is ... for a in answer):
                return Result("open", "Nothing here yet: fill in the cell above, run it, then run this one again.")
            try:
                check(*answer)
            except NotImplementedError:
                return Result("open", "Nothing here yet: fill in the cell above, run it, then run this one again.")
            except Diagnosis as diagnosis:
                return Result("wrong", str(diagnosis))
            except Exception as error:  # noqa: BLE001 - whatever the reader's code does is told, not thrown
                return Result("wrong", f"Your code stopped with {type(error).__name__}: {error}{own_line(error)}")
            return Result("passed", praise)

        return run

    return decorate


def own_line(error: Exception) -> str:
    """The reader's own line where an error came from, if it can be told."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "srvp_lite" not in f.filename]
    own = [f for f in frames if "site-packages" not in f.filename]
    return f"\nin your line {own[-1].lineno}: {own[-1].line}" if own and own[-1].line else ""


def returned(value: Any) -> Any:
    """The value, unless the function returned nothing, which means that it is still a stub."""
    if value is None or value is ...:
        raise NotImplementedError
    return value


def as_tensor(value: Any, what: str) -> torch.Tensor:
    """A returned tensor, or a Diagnosis that says what came instead."""
    value = returned(value)
    if not isinstance(value, torch.Tensor):
        raise Diagnosis(f"{what} should be a torch tensor; yours is a {type(value).__name__}.")
    return value


def same_shape(value: torch.Tensor, shape: tuple[int, ...], what: str, meaning: str = "") -> None:
    if tuple(value.shape) != tuple(shape):
        hint = f" ({meaning})" if meaning else ""
        raise Diagnosis(f"{what} should have shape {tuple(shape)}{hint}; yours has {tuple(value.shape)}.")


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors of one shape agree to `tolerance`, relative to values above one."""
    return a.shape == b.shape and bool(torch.allclose(a.double(), b.double(), rtol=tolerance, atol=tolerance))
