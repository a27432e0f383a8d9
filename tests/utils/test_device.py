"""Devices: chosen by name, timed, and asked for no more digits than they have."""

import time
import types

import pytest
import torch
from small import awake, generator, small_experiment
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from srvp_lite import metrics
from srvp_lite.data.moving_mnist import MovingMNIST, bounce
from srvp_lite.evaluation.drawing import Scoring
from srvp_lite.evaluation.results import evaluate
from srvp_lite.explore import latents, uncertainty
from srvp_lite.metrics.fvd import FVD
from srvp_lite.model import ode
from srvp_lite.training.loop import train
from srvp_lite.utils import device as devices
from srvp_lite.utils.device import best_time, choose_device, device_name, devices_here, precise_dtype

CPU = torch.device("cpu")


# Chosen --------------------------------------------------------------------------------------------------------------


def pretend(monkeypatch, n_cuda: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)


@pytest.mark.parametrize(
    "n_cuda, mps, best, here",
    [
        (0, False, "cpu", ["cpu"]),
        (0, True, "mps", ["mps", "cpu"]),
        (2, True, "cuda", ["cuda:0", "cuda:1", "mps", "cpu"]),
    ],
)
def test_auto_is_the_best_there_is(monkeypatch, n_cuda, mps, best, here):
    pretend(monkeypatch, n_cuda, mps)
    assert devices_here() == here and choose_device("auto") == torch.device(best)
    for name in here:
        assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:2", "mps", "gpu", "", "cpu:1", "meta"])
def test_what_is_not_here_is_said_with_what_is(monkeypatch, name):
    pretend(monkeypatch, 0, False)
    with pytest.raises(ValueError, match=f"no device '{name}' here; choose one of auto, cpu$"):
        choose_device(name)


def test_a_second_gpu_needs_two(monkeypatch):
    pretend(monkeypatch, 1, False)
    assert choose_device("cuda") == torch.device("cuda")
    with pytest.raises(ValueError, match="no device 'cuda:1' here; choose one of auto, cuda:0, cpu"):
        choose_device("cuda:1")


def test_devices_have_names(monkeypatch):
    assert device_name(CPU).startswith("CPU (") and device_name(torch.device("mps")).startswith("Apple GPU")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"number {device.index}")
    assert device_name(torch.device("cuda:1")) == "number 1"


# Timed ---------------------------------------------------------------------------------------------------------------


def test_the_best_time_is_the_shortest_after_the_first(monkeypatch):
    """With a clock that only the calls move. A call begins as long as the time given is not over."""
    now, durations, begun = 0.0, iter([0.5, 4.0, 3.0, 5.0, 1.0]), []

    def call():
        nonlocal now
        begun.append(now)
        now += next(durations)

    monkeypatch.setattr(devices, "time", types.SimpleNamespace(perf_counter=lambda: now))
    assert best_time(call, CPU, seconds=10.0) == 3.0
    assert begun == [0.0, 0.5, 4.5, 7.5] and time.perf_counter() != now


# Without 64-bit floats -----------------------------------------------------------------------------------------------


class Without64(TorchFunctionMode):
    """The CPU as a device without 64-bit floats, such as Apple's GPU; refuses to make a tensor of them there.

    Beside it is the host, which has them: what `cpu()` gives lies there, what is made with no device named, and what
    is computed of such tensors only.
    """

    def __torch_function__(self, function, kinds, args=(), kwargs=None):
        kwargs = kwargs or {}
        read = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        out = function(*args, **kwargs)
        named = kwargs.get("device") is not None or any(isinstance(a, torch.device) for a in args)
        on_host = function is torch.Tensor.cpu or (all(hasattr(t, "on_host") for t in read) and not named)
        if function is torch.Tensor.cpu:
            out = torch.ops.aten.alias(out)  # on a CPU it gives the tensor itself
        for t in tree_leaves(out):
            if not isinstance(t, torch.Tensor):
                continue
            if t.dtype == torch.float64 and not on_host:
                raise TypeError(f"{function.__name__} made float64 on a device that has none")
            if on_host and not any(t is other for other in read):
                t.on_host = True
        return out


@pytest.fixture
def without64(monkeypatch):
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", ("cpu",))
    with Without64():
        yield


def test_only_some_devices_lack_64_bits():
    assert precise_dtype(CPU) == precise_dtype(torch.device("cuda")) == torch.float64
    assert precise_dtype(torch.device("mps")) == torch.float32


def test_the_guard_refuses_the_device_and_lets_the_host(without64):
    x = torch.zeros(3, device=CPU)
    for wrong in (
        lambda: x.double(),
        lambda: x.to(torch.float64),
        lambda: x.double().cpu(),
        lambda: torch.zeros(3, dtype=torch.float64, device=CPU),
        lambda: torch.zeros(3, dtype=torch.float64).to(CPU),
        lambda: torch.rand(3, device=x.device, dtype=torch.float64),
        lambda: torch.tensor([1.0], dtype=torch.float64, device=x.device),
    ):
        with pytest.raises(TypeError, match="made float64 on a device that has none"):
            wrong()
    assert x.cpu().double().dtype == torch.zeros(2, dtype=torch.float64).sum().dtype == torch.float64
    assert precise_dtype(x.device) == torch.float32


@pytest.mark.slow
def test_training_needs_no_64_bits(without64, tmp_path):
    best = train(small_experiment(ema_decay=0.9, clip_grad_norm=1.0, accumulate=2), tmp_path / "run", device="cpu")
    assert best.is_file()
    train(small_experiment(ema_decay=0.9, clip_grad_norm=1.0, accumulate=2), tmp_path / "run", "auto", device="cpu")


def test_data_need_no_64_bits(without64, tmp_path):
    for stochastic in (False, True):
        clips = MovingMNIST(digits="sklearn", stochastic=stochastic).to(CPU).sample(3, 30, generator())
        assert clips.dtype == torch.float32 and 0 < clips.mean() < 1


def test_bounces_are_the_same_without_64_bits(monkeypatch):
    """Short runs of reflections at least: whole pixels are far apart."""
    position, velocity = torch.tensor([[3, 40], [0, 51]]), torch.tensor([[4, -3], [-2, 1]])
    expected = bounce(position, velocity, 30, 51, False, 4)
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", ("cpu",))
    assert all(torch.equal(a, b) for a, b in zip(expected, bounce(position, velocity, 30, 51, False, 4)))


def test_prediction_needs_no_64_bits(without64):
    model, x = awake(skip=True), torch.rand(2, 5, 1, 16, 16, generator=generator())
    assert model.predict(x, 3, 2, frame_rate=2, generator=generator()).shape == (2, 2, 6, 1, 16, 16)
    for method in ("rk4", "dopri5"):
        frames = ode.predict(model, x, [0.5, 1.0, 1.7], 2, method=method, generator=generator())
        assert frames.shape == (2, 2, 3, 1, 16, 16) and frames.isfinite().all()


def test_evaluation_needs_no_64_bits(without64):
    x = (torch.rand(4, 12, 1, 16, 16, generator=generator()) * 255).byte()
    fvd = FVD(CPU, detector=lambda videos: videos.flatten(1)[:, :6])
    results = evaluate(awake(), x, n_cond=5, n_samples=6, scoring=Scoring(loaded={"fvd": fvd}))
    assert results.calibration is not None and len(results.sets["fvd"].draws) == 5


def test_exploring_needs_no_64_bits(without64):
    model, x = awake(), torch.rand(6, 5, 1, 16, 16, generator=generator())
    components, *_ = latents.pca(latents.motion_of(model, x), 2)
    assert components.dtype == torch.float32
    kl, hit = torch.rand(20, 8, generator=generator()), torch.rand(20, 9, generator=generator()) > 0.5
    assert 0 < uncertainty.auc(kl, hit[:, 1:]) < 1
    futures = model.predict(x[:, :4], 1, 6, generator=generator())
    found = uncertainty.reliability(futures, x[:, 4:], bins=3)
    assert found["predicted"].dtype == torch.float32 and metrics.psnr(futures[0], x[:, 4:]).isfinite().all()
