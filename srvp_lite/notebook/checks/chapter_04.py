"""Checks of chapter 4: an Euler rollout, frames among fine states, a midpoint step, a measured order."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate

import torch

from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["euler_rollout", "frame_indices", "measured_order", "midpoint_step"]


def problem(n: int):
    """A smooth f of y and z, two states (2, 3) and n noises (2, n, 2), in double precision."""
    g = torch.Generator().manual_seed(0)
    W = torch.randn(5, 3, generator=g).double()
    y, z = torch.randn(2, 3, generator=g).double(), torch.randn(2, n, 2, generator=g).double()
    return (lambda yz: torch.tanh(yz @ W)), y, z


def euler(f, y, z, dt: float, z_of: list[int]) -> torch.Tensor:
    """Euler steps of size dt; step number s reads z[:, z_of[s]]."""
    states = [y]
    for i in z_of:
        states.append(states[-1] + dt * f(torch.cat([states[-1], z[:, i]], dim=-1)))
    return torch.stack(states, dim=1)


@exercise("Right: whole steps, counted, one z per frame, for every K.")
def euler_rollout(answer: Callable) -> None:
    """`euler_rollout(f, y, z, K)`: y (B, ny), z (B, n, nz) -> all states, the given one first, (B, n K + 1, ny)."""
    n = 4
    f, y, z = problem(n)
    for k in (1, 2, 3, 10):
        states = as_tensor(answer(f, y, z, k), "The states")
        steps = n * k
        if tuple(states.shape) == (2, steps, 3):
            raise Diagnosis(f"{steps} states for K = {k}: the given state y belongs in front of them, so {steps + 1}.")
        if k > 1 and tuple(states.shape) in ((2, n + 1, 3), (2, n, 3)):
            raise Diagnosis(f"Only the states at the frames are here. Return those after every step: {steps + 1}.")
        if tuple(states.shape) == (steps + 1, 2, 3):
            raise Diagnosis("Time comes first in your states; stack them along dim=1, batch first.")
        if states.ndim == 3 and states.shape[1] != steps + 1 and k not in (1, 2):
            raise Diagnosis(
                f"K = {k} and {n} frames make {steps} steps; yours makes {states.shape[1] - 1}. Is your loop run by a "
                "clock that adds 1/K? Such sums miss whole numbers: count steps with integers."
            )
        same_shape(states, (2, steps + 1, 3), f"For K = {k}, the states", "(B, n K + 1, ny)")
        frame = [s // k for s in range(steps)]
        expected = euler(f, y, z, 1 / k, frame)
        if close(states, expected, 1e-9):
            continue
        if not close(states[:, 0], y, 1e-9):
            raise Diagnosis("The first state should be the given y.")
        if k > 1 and close(states, euler(f, y, z, 1.0, frame), 1e-9):
            raise Diagnosis(f"dt is missing: each of the K = {k} steps moves by f / K, yours by the whole f.")
        if k > 1 and close(states, euler(f, y, z, 1 / k, [s % n for s in range(steps)]), 1e-9):
            raise Diagnosis("Your z changes at every step. One z serves a whole frame: all its K steps.")
        if close(states, euler(f, y, z, 1 / k, [min(i + 1, n - 1) for i in frame]), 1e-9):
            raise Diagnosis("You begin with the second z. z[:, 0] drives the first frame interval.")
        clock = [min(int(t), n - 1) for t in accumulate([0.0] + [1 / k] * (steps - 1))]
        if clock != frame and close(states, euler(f, y, z, 1 / k, clock), 1e-9):
            raise Diagnosis(
                f"For K = {k} some steps read the z of the frame before. A clock that adds 1/K misses whole numbers: ten "
                "times 0.1 make 0.9999999999999999, whose floor is 0. So count steps with integers, step // K."
            )
        off = (states - expected).abs().amax(dim=(0, 2)) > 1e-9
        raise Diagnosis(
            f"For K = {k} the states differ from step {int(off.int().argmax())} on. A step is "
            "y + f(torch.cat([y, z_i], dim=-1)) / K, with z_i the z of the frame interval that the step lies in."
        )


@exercise("Right: the given state is no new frame, and every K // rate-th state after it is one.")
def frame_indices(answer: Callable) -> None:
    """`frame_indices(n_frames, K, rate)`: where the shown frames stand among the n_frames K + 1 fine states."""
    for n, k, rate in ((3, 4, 1), (3, 4, 2), (2, 6, 3), (5, 8, 8)):
        found = returned(answer(n, k, rate))
        try:
            found = [int(i) for i in found]
        except TypeError as error:
            raise Diagnosis(f"Return a list, a range or a tensor of whole numbers ({error}).") from error
        every = k // rate
        expected = list(range(every, n * k + 1, every))
        case = f"{n} frame intervals, K = {k}, rate = {rate}"
        if found == expected:
            continue
        if found == [0, *expected]:
            raise Diagnosis(f"{case}: state 0 is the given one, not a new frame; begin one frame later.")
        if found in ([0, *expected[:-1]], [i - 1 for i in expected]):
            raise Diagnosis(
                f"{case}: yours begin with {found[:3]}, they should begin with {expected[:3]}. State number s stands "
                "at time s / K, and the first shown frame at time 1 / rate."
            )
        if found == expected[:-1]:
            raise Diagnosis(f"{case}: the last frame, at state {n * k}, is missing: a range stops before its end.")
        if rate > 1 and found == list(range(k, n * k + 1, k)):
            raise Diagnosis(f"{case}: these are the frames at rate 1. At rate {rate}, {rate} frames share an interval.")
        if found == list(range(rate, n * k + 1, rate)):
            raise Diagnosis(f"{case}: you take every rate-th state. How many states are there between two frames?")
        raise Diagnosis(f"{case}: expected {expected[:4]}{' ...' if len(expected) > 4 else ''}, got {found[:4]}.")


@exercise("Right: half a step to feel the slope in the middle, then the whole step with that slope.")
def midpoint_step(answer: Callable) -> None:
    """`midpoint_step(f, y, z, dt)`: y (B, ny), z (B, nz) -> the state one midpoint step later, (B, ny)."""
    f, y, z = problem(1)
    z, dt = z[:, 0], 0.5
    calls = []

    def slope(y):
        return f(torch.cat([y, z], dim=-1))

    def counted(yz):
        calls.append(1)
        return f(yz)

    new = as_tensor(answer(counted, y, z, dt), "The new state")
    same_shape(new, (2, 3), "The new state", "(B, ny), like y")
    half = y + dt / 2 * slope(y)
    if close(new, y + dt * slope(y), 1e-9):
        raise Diagnosis("This is Euler's step: the slope is read at the start. Read it half a step further.")
    if close(new, half + dt / 2 * slope(half), 1e-9):
        raise Diagnosis(
            "These are two half Euler steps. The slope in the middle should carry y over the whole step, from y, not "
            "from the middle."
        )
    if close(new, half + dt * slope(half), 1e-9):
        raise Diagnosis(
            "The whole step should start from y; yours starts from the middle and goes half a step too far."
        )
    if close(new, y + dt * slope(y + dt * slope(y)), 1e-9):
        raise Diagnosis("Your trial step is a whole one; the midpoint is half a step away: dt / 2.")
    if close(new, y + dt / 2 * (slope(y) + slope(y + dt * slope(y))), 1e-9):
        raise Diagnosis(
            "This is Heun's method, the mean of the slopes at both ends, also of order 2. But its second slope is read "
            "at the right end of the step, where the next z begins. The midpoint method looks at the middle only."
        )
    if close(new, y + dt * slope(half) / 2, 1e-9) or close(new, y + slope(half), 1e-9):
        raise Diagnosis("The slope is the right one; multiply it by dt, the whole step.")
    if not close(new, y + dt * slope(half), 1e-9):
        raise Diagnosis("First y_mid = y + dt/2 f(y, z), then y + dt f(y_mid, z): yours gives something else.")
    if len(calls) != 2:
        raise Diagnosis(f"The state is right, but f was called {len(calls)} times; a midpoint step needs 2.")


@exercise("Right: the slope of the error in a plot with two logarithmic axes.")
def measured_order(answer: Callable) -> None:
    """`measured_order(dt_1, error_1, dt_2, error_2)`: p, if the error is c dt^p."""
    for p, c, dt_1, dt_2 in ((1.0, 3.0, 0.5, 0.25), (4.0, 0.2, 0.1, 0.01), (2.0, 1.0, 0.1, 0.3)):
        e_1, e_2 = c * dt_1**p, c * dt_2**p
        found = float(returned(answer(dt_1, e_1, dt_2, e_2)))
        if abs(found - p) < 1e-6:
            continue
        logs = math.log(e_1 / e_2), math.log(dt_1 / dt_2)
        case = f"Errors {e_1:.3g} at dt = {dt_1:g} and {e_2:.3g} at dt = {dt_2:g} are of order {p:g}"
        if abs(found + p) < 1e-6:
            raise Diagnosis(f"{case}; yours is {found:g}, with the sign turned: one of the two ratios is upside down.")
        if abs(found - e_1 / e_2) < 1e-6 or abs(found - e_2 / e_1) < 1e-6:
            raise Diagnosis(f"{case}; you return the ratio of the errors. The order is an exponent: take logarithms.")
        if any(abs(found - logs[0] / math.log(b)) < 1e-6 for b in (2, 10, math.e)):
            raise Diagnosis(
                f"{case}; yours is {found:.3g}. The logarithm of the errors' ratio still has to be divided by the "
                "logarithm of the steps' ratio, which is not always 2."
            )
        if abs(found - (e_1 - e_2) / (dt_1 - dt_2)) < 1e-6:
            raise Diagnosis(f"{case}; yours is the slope without logarithms. Take the logarithm of errors and steps.")
        if abs(found - logs[1] / logs[0]) < 1e-6:
            raise Diagnosis(f"{case}; your fraction is upside down: errors above, steps below.")
        raise Diagnosis(f"{case}; yours is {found:.3g}. Solve error = c dt^p for p, with two pairs of numbers.")
