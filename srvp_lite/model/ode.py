"""The residual function as an ordinary differential equation, dy/dt = f(y, z_{floor(t)+1}), solved by torchdiffeq:
equation (5) of the book's notation with steps as small as you like (paper, section 3.1).

Built in chapter 4. `solve`, `generate` and `predict` are `Dynamics.rollout`, `Dynamics.generate` and `SRVP.predict`
with a solver of your choice, and states at any real times. With `euler` they give the residual loop.

Times are counted in frames from the state that is given: it stands at 0, and z[:, i] drives the interval from i to
i + 1. Between two frames the right side does not depend on t, at a frame it jumps. So every interval is a call of its
own: a solver that reads the next z at the right end of a step (rk4), or that steps over a jump without noticing
(dopri5 with a loose tolerance), cannot do so here. torchdiffeq's `jump_t` is no way around: it loses all further jumps
once a step happens to end exactly on one (0.2.5), as steps of one frame do.

Needs torchdiffeq: pip install "srvp-lite[ode]".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

try:
    import torchdiffeq
except ImportError as error:
    raise ImportError(
        'srvp_lite.model.ode needs torchdiffeq, which is not installed: pip install "srvp-lite[ode]"'
    ) from error

from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.dynamics import Dynamics
from srvp_lite.model.srvp import SRVP
from srvp_lite.utils.device import precise_dtype

FIXED = ("euler", "midpoint", "rk4")
"""Solvers with steps of a given size: 1, 2 and 4 evaluations of f a step, of order 1, 2 and 4."""
ADAPTIVE = ("dopri5",)
"""Solvers that choose their steps by a tolerance. (torchdiffeq interpolates less well for its other ones.)"""
EPSILON = 1e-6  # two times closer than this, in frames, are one


class Counted(nn.Module):
    """f, counting how often it is called: `counted = Counted(f)`, `solve(counted, ...)`, then `counted.calls`.

    The calls (often NFE, number of function evaluations) are the cost by which solvers are compared.
    """

    def __init__(self, f: Callable[[Tensor], Tensor]):
        super().__init__()
        self.f, self.calls = f, 0

    def forward(self, yz: Float[Tensor, "*batch ny_plus_nz"]) -> Float[Tensor, "*batch ny"]:
        self.calls += 1
        return self.f(yz)


def solve(
    f: Callable[[Tensor], Tensor],
    y: Float[Tensor, "b ny"],
    z: Float[Tensor, "b n nz"],
    times: Sequence[float] | Float[Tensor, " n_times"],
    method: str = "euler",
    steps_per_frame: int | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    adjoint: bool = False,
) -> Float[Tensor, "b n_times ny"]:
    """The states at `times` of dy/dt = f(y, z[:, floor(t)]) from y at time 0.

    Parameters: `f` maps the concatenated (B, ny + nz) to (B, ny), as `Dynamics.f`; `z` one noise per frame interval;
    `times` increasing, from 0 to n at most, whole numbers being frames; `method` one of FIXED, with `steps_per_frame`
    steps an interval (1 by default), or one of ADAPTIVE, with `rtol` and `atol`. A state between two steps lies on the
    straight line between them for euler (which is a shorter euler step) and on a polynomial through states and slopes
    otherwise; asking for more times changes none of the states. An adaptive solver chooses its steps for the whole
    batch, so there a clip's states depend, within the tolerance, on the clips beside it.

    Gradients flow to y, z and the parameters of f. With `adjoint` they come from the adjoint equation, solved back in
    time, whose memory does not grow with the number of steps; f is then an `nn.Module`, whose parameters are known.

    Returns (B, n_times, ny), in the dtype of y. Raises ValueError, or TypeError, saying what was expected.
    """
    asked = _checked_times(f, y, times, method, steps_per_frame, adjoint)
    if z.ndim != 3 or z.shape[0] != y.shape[0]:
        raise ValueError(
            f"z holds one noise per clip and frame interval, (B, n, nz) with B = {y.shape[0]}, got {tuple(z.shape)}"
        )
    if asked[-1] > z.shape[1] + EPSILON:
        raise ValueError(
            f"z drives {z.shape[1]} frame interval(s), so times go from 0 to {z.shape[1]}, got {asked[-1]:g}: "
            "give more z, or `generate`, which draws them"
        )
    states: dict[float, Tensor] = {}
    at = y
    for i in range(_n_intervals(asked)):
        within = _times_within(asked, i)
        at, reached = _solve_interval(f, at, z[:, i], within, method, steps_per_frame, rtol, atol, adjoint)
        states.update(reached)
    return _at_times(states, asked, y)


def generate(
    dynamics: Dynamics,
    y: Float[Tensor, "b ny"],
    times: Sequence[float] | Float[Tensor, " n_times"],
    method: str = "euler",
    steps_per_frame: int | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "b n_times ny"], Float[Tensor, "b n nz"]]:
    """Runs y forward from time 0 with z drawn from the prior at each frame; arguments as in `solve`.

    Returns the states at `times`, (B, n_times, ny), and the z drawn, one per interval that was entered, (B, n, nz).
    """
    asked = _checked_times(dynamics.f, y, times, method, steps_per_frame, False)
    states: dict[float, Tensor] = {}
    z: list[Tensor] = []
    at = y
    for i in range(_n_intervals(asked)):
        z.append(dynamics.p_z(at).sample(generator))
        within = _times_within(asked, i)
        at, reached = _solve_interval(dynamics.f, at, z[-1], within, method, steps_per_frame, rtol, atol, False)
        states.update(reached)
    no_z = y.new_zeros(y.shape[0], 0, dynamics.nz)
    return _at_times(states, asked, y), torch.stack(z, dim=1) if z else no_z


@torch.no_grad()
def predict(
    model: SRVP,
    x_cond: Float[Tensor, "b t c h w"],
    times: Sequence[float] | Float[Tensor, " n_times"],
    n_samples: int = 1,
    method: str = "euler",
    steps_per_frame: int | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "s b n_times c h w"]:
    """Futures of the conditioning frames at any real times after the last of them, counted in frames.

    As `SRVP.predict`, and equal to it for "euler" at times 1, 2, ... with the model's own steps (the default of
    `steps_per_frame`) and the same generator. The conditioning frames are passed as the model was trained, whatever
    the method. Returns (n_samples, B, n_times, C, H, W) in (0, 1).
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    dynamics = model.dynamics
    if not isinstance(dynamics, Dynamics):
        raise ValueError(
            f"this model moves its state by the {model.config.transition} transition, which is no differential equation"
        )
    if steps_per_frame is None and method in FIXED:
        steps_per_frame = model.config.steps_per_frame
    with evaluation_mode(model):
        y, w, skips = model.condition(x_cond, n_samples, generator)
        y, _ = generate(dynamics, y, times, method, steps_per_frame, rtol, atol, generator)
        return model.decode(w, y, skips).unflatten(0, (n_samples, x_cond.shape[0]))


def _solve_interval(
    f: Callable[[Tensor], Tensor],
    y: Float[Tensor, "b ny"],
    z: Float[Tensor, "b nz"],
    fractions: list[tuple[float, float]],
    method: str,
    steps_per_frame: int | None,
    rtol: float,
    atol: float,
    adjoint: bool,
) -> tuple[Float[Tensor, "b ny"], dict[float, Tensor]]:
    """One frame interval under one z: the state at its end, and {time: state} at the fractions of it asked for.

    `fractions` are pairs (time, its part of the interval in (0, 1]).
    """

    def right_side(t: Tensor, y: Tensor) -> Tensor:
        return f(torch.cat([y, z], dim=-1))

    between = [(time, s) for time, s in fractions if s < 1]
    asked = torch.tensor([0.0, *(s for _, s in between), 1.0], dtype=precise_dtype(y.device), device=y.device)
    options: dict[str, Any] = {}
    if method in FIXED:
        k = steps_per_frame or 1
        on_grid = all(abs(s * k - round(s * k)) < k * EPSILON for _, s in between)
        options["grid_constructor"] = lambda func, y, t: _whole_steps(t, k)
        options["interp"] = "linear" if method == "euler" or on_grid else "cubic"
    else:
        options["dtype"] = asked.dtype
        options["step_t"] = asked[-1:]  # a step ends on the frame, rather than being interpolated there
    arguments: dict[str, Any] = dict(rtol=rtol, atol=atol, method=method, options=options)
    if adjoint:
        assert isinstance(f, nn.Module)  # as `_checked_times` has seen
        # The adjoint finds parameters in modules only: what else needs a gradient must be named, z above all.
        solved = torchdiffeq.odeint_adjoint(right_side, y, asked, adjoint_params=(z, *f.parameters()), **arguments)
    else:
        solved = torchdiffeq.odeint(right_side, y, asked, **arguments)
    states = cast(Tensor, solved)
    reached = {time: state for (time, _), state in zip(between, states[1:])}
    reached.update((time, states[-1]) for time, s in fractions if s == 1)
    return states[-1], reached


def _whole_steps(t: Float[Tensor, " n"], k: int) -> Float[Tensor, " m"]:
    """From the first to the last of t in equal steps of 1/k, counted, never summed. (The adjoint solves, backwards,
    from one asked time to the one before; its last step may be a shorter one, so all are made equal.)"""
    first, last = t[0].item(), t[-1].item()
    steps = max(1, math.ceil(abs(last - first) * k - EPSILON))
    return torch.linspace(first, last, steps + 1, dtype=t.dtype, device=t.device)


def _times_within(times: list[float], i: int) -> list[tuple[float, float]]:
    """The times in the interval from i (excluded) to i + 1, each with its part of the interval."""
    parts = [(time, time - i) for time in times if EPSILON < time - i <= 1 + EPSILON]
    return [(time, 1.0 if s > 1 - EPSILON else s) for time, s in parts]


def _n_intervals(times: list[float]) -> int:
    """How many frame intervals are entered on the way to the last time."""
    return max(0, -int(-(times[-1] - EPSILON) // 1))


def _at_times(
    states: dict[float, Tensor], times: list[float], y: Float[Tensor, "b ny"]
) -> Float[Tensor, "b n_times ny"]:
    """The states at the times, in order; at 0 it is y."""
    return torch.stack([y if time <= EPSILON else states[time] for time in times], dim=1)


def _checked_times(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    times: Sequence[float] | Tensor,
    method: str,
    steps_per_frame: int | None,
    adjoint: bool,
) -> list[float]:
    """The times as plain numbers; raises TypeError or ValueError for what cannot be solved."""
    if y.ndim != 2:
        raise ValueError(f"y is one state per clip, (B, ny), got {tuple(y.shape)}; a single state needs y[None]")
    if method not in FIXED + ADAPTIVE:
        raise ValueError(f"no method {method!r}; there are {', '.join(FIXED + ADAPTIVE)}")
    if steps_per_frame is not None:
        if method in ADAPTIVE:
            raise ValueError(f"{method} chooses its own steps: leave steps_per_frame out, and give rtol and atol")
        if isinstance(steps_per_frame, bool) or not isinstance(steps_per_frame, int) or steps_per_frame < 1:
            raise ValueError(f"steps_per_frame must be a whole number of at least 1, got {steps_per_frame!r}")
    if adjoint and not isinstance(f, nn.Module):
        raise TypeError(
            f"with adjoint=True, f must be an nn.Module, whose parameters are known, got {type(f).__name__}; "
            "leave adjoint out to differentiate through the solver's steps"
        )
    asked = [float(t) for t in times]
    if not asked:
        raise ValueError("times is empty: name at least one time, in frames after the given state")
    if not asked[0] >= 0 or asked[-1] == float("inf"):
        raise ValueError(f"times are counted from the given state, at 0, and finite; got {asked[0]:g} to {asked[-1]:g}")
    if not all(a < b for a, b in zip(asked, asked[1:])):
        raise ValueError("times must increase, each larger than the one before")
    return asked
