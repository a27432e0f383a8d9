"""The ODE view: against exact solutions, orders of convergence, the residual loop, gradients, and errors that help."""

import importlib
import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import SIZES, generator

from srvp_lite.config import SRVPConfig
from srvp_lite.model import ode
from srvp_lite.model.dynamics import Dynamics
from srvp_lite.model.srvp import SRVP


def dynamics(ny=3, nz=2):
    torch.manual_seed(0)
    return Dynamics(ny, nz, 16, 3, 1.2).double()


class Linear(torch.nn.Module):
    """dy/dt = A y + B z, whose solution under a constant z is a matrix exponential."""

    def __init__(self, ny=3, nz=2):
        super().__init__()
        self.A = torch.nn.Parameter(torch.randn(ny, ny, generator=generator(1), dtype=torch.float64) * 0.6)
        self.B = torch.nn.Parameter(torch.randn(ny, nz, generator=generator(2), dtype=torch.float64))

    def forward(self, yz):
        ny = len(self.A)
        return yz[:, :ny] @ self.A.T + yz[:, ny:] @ self.B.T

    def exact(self, y, z, times):
        """From frame to frame, then the rest of the interval: the exponential of [[A, B z], [0, 0]]."""

        def flow(y, z, s):
            moved = []
            for y_i, z_i in zip(y, z):
                M = torch.zeros(len(self.A) + 1, len(self.A) + 1, dtype=torch.float64)
                M[:-1, :-1], M[:-1, -1] = self.A.detach(), self.B.detach() @ z_i
                moved.append((torch.linalg.matrix_exp(M * s) @ torch.cat([y_i, y_i.new_ones(1)]))[:-1])
            return torch.stack(moved)

        states = []
        for t in times:
            at = y
            for i in range(math.floor(t)):
                at = flow(at, z[:, i], 1.0)
            states.append(flow(at, z[:, math.floor(t)], t % 1) if t % 1 else at)
        return torch.stack(states, dim=1)


@pytest.fixture
def problem():
    f = Linear()
    y = torch.randn(2, 3, generator=generator(3), dtype=torch.float64)
    z = torch.randn(2, 2, 2, generator=generator(4), dtype=torch.float64)
    return f, y, z


TIMES = [0, 0.4, 1, 1.75, 2]


@pytest.mark.parametrize("method, order", [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_order_of_convergence_across_jumps(problem, method, order):
    """The slope of the error over dt is the order, at frames and between them, although z jumps at each frame."""
    f, y, z = problem
    exact = f.exact(y, z, TIMES)
    errors = [
        (ode.solve(f, y, z, TIMES, method, steps) - exact).abs().amax(dim=(0, 2))[1:]
        for steps in ((40, 80) if method == "euler" else (10, 20))
    ]
    slopes = (errors[0] / errors[1]).log2()
    torch.testing.assert_close(slopes, torch.full_like(slopes, order), atol=0.25, rtol=0)


@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-8])
def test_the_adaptive_solver_keeps_its_tolerance_across_jumps(problem, rtol):
    f, y, z = problem
    states = ode.solve(f, y, z, TIMES, "dopri5", rtol=rtol, atol=rtol / 10)
    assert (states - f.exact(y, z, TIMES)).abs().max() < 20 * rtol


def test_one_call_over_several_frames_would_be_wrong_for_rk4(problem):
    """Why every interval is a call of its own: rk4's last stage reads f at the right end, where the next z begins."""
    import torchdiffeq

    f, y, z = problem
    exact = f.exact(y, z, [2])[:, 0]

    def jumping(t, y):
        return f(torch.cat([y, z[:, min(int(t), 1)]], dim=-1))

    t = torch.tensor([0.0, 2.0], dtype=torch.float64)
    naive = torchdiffeq.odeint(jumping, y, t, method="rk4", options={"step_size": 1 / 16})[-1]
    ours = ode.solve(f, y, z, [2], "rk4", 16)[:, 0]
    assert (naive - exact).abs().max() > 1e-3 and (ours - exact).abs().max() < 1e-5


@given(K=st.integers(1, 50), n=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_euler_is_the_residual_loop(K, n):
    d = dynamics()
    y = torch.randn(2, 3, generator=generator(5), dtype=torch.float64)
    z = torch.randn(2, n, 2, generator=generator(6), dtype=torch.float64)
    with torch.no_grad():
        expected, _ = d.rollout(y, z, K)
        states = ode.solve(d.f, y, z, range(n + 1), steps_per_frame=K)
    torch.testing.assert_close(states, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("method", ode.FIXED + ode.ADAPTIVE)
def test_asking_for_more_times_changes_none_of_the_states(method):
    d = dynamics()
    y, z = torch.randn(2, 3).double(), torch.randn(2, 3, 2).double()
    steps = 4 if method in ode.FIXED else None
    few = ode.solve(d.f, y, z, [1, 2.5, 3], method, steps)
    many = ode.solve(d.f, y, z, [0, 0.25, 0.3, 1, 1.1, 2, 2.5, 2.9, 3], method, steps)
    torch.testing.assert_close(many[:, [3, 6, 8]], few, rtol=1e-9, atol=1e-9)
    assert torch.equal(many[:, 0], y)


def test_between_two_euler_steps_lies_a_shorter_euler_step():
    d = dynamics()
    y, z = torch.randn(2, 3).double(), torch.randn(2, 1, 2).double()
    expected = y + 0.3 * d.f(torch.cat([y, z[:, 0]], dim=-1))
    torch.testing.assert_close(ode.solve(d.f, y, z, [0.3])[:, 0], expected)


@pytest.mark.parametrize("K", [3, 7, 10, 49])
def test_a_clock_with_rounding_errors_loses_no_frame_and_no_noise(K):
    """Times as a running sum of 1/K, which miss whole numbers by their last bits."""
    d = dynamics()
    y, z = torch.randn(1, 3).double(), torch.randn(1, 3, 2).double()
    times, t = [], 0.0
    for _ in range(3 * K):
        t += 1 / K
        times.append(t)
    states = ode.solve(d.f, y, z, times, steps_per_frame=K)
    expected, _ = d.rollout(y, z, K)
    torch.testing.assert_close(states[:, K - 1 :: K], expected[:, 1:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method, calls", [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_calls_are_counted(method, calls):
    d = dynamics()
    f = ode.Counted(d.f)
    y, z = torch.randn(2, 3).double(), torch.randn(2, 5, 2).double()
    ode.solve(f, y, z, range(6), method, steps_per_frame=3)
    assert f.calls == 5 * 3 * calls
    ode.solve(f, y, z, [0], method)
    assert f.calls == 5 * 3 * calls, "the given state costs nothing"


@pytest.mark.parametrize("method", ode.FIXED + ("dopri5",))
def test_gradients_flow_to_y_z_and_f(method):
    d = dynamics()
    y, z = torch.randn(2, 3).double().requires_grad_(), torch.randn(2, 3, 2).double().requires_grad_()
    steps = 3 if method in ode.FIXED else None
    ode.solve(d.f, y, z, [0.5, 2.2, 3], method, steps).square().sum().backward()
    for tensor in (y, *d.f.parameters()):
        assert tensor.grad.isfinite().all() and tensor.grad.abs().sum() > 0
    assert (z.grad.abs().sum(dim=(0, 2)) > 0).all()


def test_gradients_of_the_exact_problem(problem):
    f, y, z = problem
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda y, z: ode.solve(f, y, z, [0.5, 1.5], "rk4", 2), (y.requires_grad_(), z))


@pytest.mark.parametrize("method, steps", [("rk4", 10), ("dopri5", None)])
def test_the_adjoint_gives_the_same_gradients(problem, method, steps):
    """z among them, which the adjoint does not find by itself."""
    f, y, z = problem
    wanted = (y.requires_grad_(), z.requires_grad_(), *f.parameters())
    options = dict(method=method, steps_per_frame=steps, rtol=1e-7, atol=1e-9)
    loss, adjoint_loss = (
        ode.solve(f, y, z, [0.4, 2], adjoint=adjoint, **options).square().sum() for adjoint in (False, True)
    )
    for a, b in zip(torch.autograd.grad(loss, wanted), torch.autograd.grad(adjoint_loss, wanted)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
def test_generate_is_that_of_the_dynamics(steps):
    d = dynamics()
    y = torch.randn(4, 3).double()
    expected, expected_z = d.generate(y, 5, steps, generator())
    states, z = ode.generate(d, y, range(1, 6), steps_per_frame=steps, generator=generator())
    torch.testing.assert_close(states, expected[:, steps - 1 :: steps], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(z, expected_z, rtol=1e-11, atol=1e-11)
    states, z = ode.generate(d, y, [0], generator=generator())
    assert torch.equal(states[:, 0], y) and z.shape == (4, 0, 2)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("rate", [1, 2, 3])
def test_predict_is_that_of_the_model(skip, rate):
    torch.manual_seed(0)
    model = SRVP(SRVPConfig(**SIZES, skip=skip, steps_per_frame=2))
    x = torch.rand(2, 5, 1, 16, 16)
    expected = model.predict(x, 4, 3, steps_per_frame=2 * rate, frame_rate=rate, generator=generator(1))
    times = [i / rate for i in range(1, 4 * rate + 1)]
    ours = ode.predict(model, x, times, 3, steps_per_frame=2 * rate, generator=generator(1))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    assert model.training, "the model's mode comes back"
    if rate == 1:
        torch.testing.assert_close(ode.predict(model, x, times, 3, generator=generator(1)), expected)


def test_predict_at_any_times_with_an_adaptive_solver():
    model = SRVP(SRVPConfig(**SIZES))
    frames = ode.predict(model, torch.rand(2, 4, 1, 16, 16), torch.tensor([0.1, 2.5]), 2, "dopri5")
    assert frames.shape == (2, 2, 2, 1, 16, 16) and 0 < frames.min() and frames.max() < 1


def test_single_precision_stays_single():
    d = dynamics().float()
    assert ode.solve(d.f, torch.zeros(1, 3), torch.zeros(1, 2, 2), [0.5, 2], "dopri5").dtype == torch.float32


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(method="runge"), "there are euler, midpoint, rk4, dopri5"),
        (dict(method="dopri5", steps_per_frame=2), "chooses its own steps"),
        (dict(steps_per_frame=0), "whole number of at least 1, got 0"),
        (dict(steps_per_frame=1.5), "whole number of at least 1, got 1.5"),
        (dict(times=[]), "times is empty"),
        (dict(times=[-1, 1]), "counted from the given state, at 0"),
        (dict(times=[1, 1]), "each larger than the one before"),
        (dict(times=[0, float("nan")]), "each larger than the one before"),
        (dict(times=[float("inf")]), "finite"),
        (dict(times=[2.5]), "z drives 2 frame interval"),
        (dict(z=torch.zeros(2, 2)), r"\(B, n, nz\) with B = 1"),
        (dict(y=torch.zeros(3)), r"a single state needs y\[None\]"),
    ],
)
def test_errors_say_what_was_expected(changes, words):
    arguments = dict(f=dynamics().float().f, y=torch.zeros(1, 3), z=torch.zeros(1, 2, 2), times=[1, 2])
    with pytest.raises(ValueError, match=words):
        ode.solve(**{**arguments, **changes})


@pytest.mark.bad_input
def test_the_adjoint_asks_for_a_module():
    with pytest.raises(TypeError, match="leave adjoint out"):
        ode.solve(lambda yz: yz[:, :3], torch.zeros(1, 3), torch.zeros(1, 1, 2), [1], adjoint=True)


def test_without_torchdiffeq_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    monkeypatch.delitem(sys.modules, "srvp_lite.model.ode")
    with pytest.raises(ImportError, match=r'pip install "srvp-lite\[ode\]"'):
        importlib.import_module("srvp_lite.model.ode")
