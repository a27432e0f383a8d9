"""The benchmark's bookkeeping: its parts add up, and foreign code is loaded without leaving a trace."""

import dataclasses
import json
import sys
import textwrap

import pytest
import torch
from small import generator, small_experiment, srvp_lite

from srvp_lite.bench import speed
from srvp_lite.bench.official_code import as_they_run_it, load
from srvp_lite.bench.stages import STAGES, StageCut, stage_times
from srvp_lite.config import VideoConfig
from srvp_lite.model.build import build_model
from srvp_lite.presets import preset
from srvp_lite.training.step import Step

CPU = torch.device("cpu")


@pytest.fixture
def clone(tmp_path):
    """A folder laid out as the official code is, with a model, a step and data of a few lines behind its interfaces."""
    sources = {
        "args.py": "import configargparse\nraise RuntimeError('not to be loaded')",
        "helper.py": "import configargparse",
        "train.py": """
            import args, helper, torch
            import data.base, module.srvp, module.utils

            def train(forward_fn, optimizer, scaler, batch, device, opt):
                optimizer.zero_grad()
                decoded = forward_fn(batch, batch.shape[0], dt=1 / opt.n_euler_steps)
                (((decoded - batch) ** 2).sum() / batch.shape[1] * opt.obs_scale).backward()
                optimizer.step()
                CALLS.append(tuple(batch.shape))

            CALLS = []
            """,
        "module/utils.py": "",
        "module/srvp.py": """
            import torch

            class StochasticLatentResidualVideoPredictor(torch.nn.Module):
                def __init__(self, nx, nc, *sizes):
                    super().__init__()
                    self.gain = torch.nn.Parameter(torch.ones(nc))

                def init(self, res_gain):
                    pass

                    self.skipco = True

                def forward(self, x, nt, dt):
                    if self.training:
                        return x * self.gain
                    return (x, x.mean(dim=(3, 4)), None, None, None)

                def encode(self, x):
                    return x.view(-1, *x.shape[2:]), []

                def generate(self, y, z, nt, dt):
                    return (y[None].expand(nt, *y.shape),)

                def decode(self, w, y, skip):
                    return y[..., None, None].expand(-1, -1, -1, 32, 32)

                def load_state_dict(self, weights):
                    assert "q_y.module.1.1.weight" in weights
            """,
        "data/base.py": """
            import numpy as np, torch

            def collate_fn(videos):
                return torch.tensor(np.stack(videos)).float() / 255
            """,
        "metrics/ssim.py": "def ssim_loss(x, y, max_val, reduction): return (x - y).abs()",
        "data/mmnist.py": """
            import numpy as np
            from torchvision import datasets

            class MovingMNIST:
                def __init__(self, data, nx, seq_len, max_speed, deterministic, num_digits, train):
                    self.shape = (seq_len, nx, nx)

                def __getitem__(self, i):
                    return np.zeros(self.shape, np.uint8)
            """,
    }  # fmt: skip
    for name, text in sources.items():
        path = tmp_path / "clone" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "clone"


@pytest.mark.slow
def test_all_that_is_asked_for_is_measured(clone):
    heard = []
    results = speed.bench(small_experiment(), CPU, rounds=2, steps_per_round=1, against=clone, say=heard.append)
    names = [r["name"] for r in results["steps"]]
    assert names == ["official code", "float32", "bf16"] and heard[-1] == "taking a step apart"
    for r in results["steps"]:
        assert 0 < r["fastest"] <= r["seconds"] <= r["slowest"]
        assert r["frames_per_second"] == pytest.approx(28 * r["steps_per_second"])
        assert r["of_official"] == pytest.approx(r["seconds"] / results["steps"][0]["seconds"])
    assert results["work"]["float32"]["flop"] == results["work"]["bf16"]["flop"] > 0
    assert {"bytes", "floats", "official bytes", "official floats"} <= results["data"].keys()
    text = speed.table(json.loads(json.dumps(results)))
    for word in ("of official", "GFLOP/s", "rollout", "ratio"):
        assert word in text


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True])
def test_scoring_is_timed(clone, beside):
    evaluation = speed.bench(
        small_experiment(), CPU, rounds=1, steps_per_round=1, variants=["float32"], against=clone if beside else None,
        evaluation=True,
    )  # fmt: skip
    text = speed.table(evaluation)
    evaluation = evaluation["evaluation"]
    assert set(evaluation["seconds"]) == {"float32", "bf16"} | ({"official code"} if beside else set())
    assert evaluation["n_predicted"] == 3 and "Scoring 8 samples of 16 clips" in text
    assert "largest difference of a pixel" in text
    difference = evaluation["difference"]
    if beside:  # the stand-in decodes otherwise, and that is seen
        assert min(difference.values()) > 0.1
    else:
        assert difference["float32"] < 1e-5 < difference["bf16"] < 0.05


def test_the_official_code_runs_under_its_own_settings():
    """cuDNN stays on: its context manager switches it off unless told otherwise."""
    before = torch.backends.cudnn.enabled, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with as_they_run_it():
            assert torch.backends.cudnn.enabled == before[0] and not torch.backends.cudnn.benchmark
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high" and torch.backends.cudnn.enabled == before[0]
    finally:
        torch.set_float32_matmul_precision(before[1])


@pytest.mark.slow
def test_rivals_are_timed_without_other_code():
    experiment = dataclasses.replace(
        preset("svg-lite"), train=dataclasses.replace(preset("svg-lite").train, batch_size=2)
    )
    evaluation = speed.evaluation_times(experiment, CPU, None, rounds=1)
    assert evaluation["difference"] is None and evaluation["seconds"]["float32"] > 0


def test_a_batch_norm_left_out_would_be_seen(monkeypatch):
    experiment = small_experiment()
    model = build_model(experiment.model).eval()
    speed.shake_batch_norms(model, generator())
    monkeypatch.setattr("srvp_lite.model.fused.fuse_conv_bn_eval", lambda layer, norm, transpose: layer)
    assert speed.differences(model, torch.rand(2, 5, 1, 32, 32), None)["float32"] > 0.01


@pytest.mark.slow
def test_what_cannot_run_here_is_left_out_with_the_reason():
    results = speed.bench(small_experiment(), CPU, rounds=1, steps_per_round=1, variants=["float32", "bf16, recorded"])
    assert [r["name"] for r in results["steps"]] == ["float32"]
    assert "cuda_graph records the step of one CUDA GPU" in results["left_out"]["bf16, recorded"]
    assert "left out" in speed.table(results)
    with pytest.raises(ValueError, match="unknown variant.*fp8; there are float32, bf16"):
        speed.bench(small_experiment(), CPU, variants=["fp8"])
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        speed.bench(small_experiment(), CPU, rounds=0)


@pytest.mark.slow
def test_real_videos_are_timed_without_their_store():
    e = dataclasses.replace(small_experiment(), data=VideoConfig("nowhere", frame_size=32))
    results = speed.bench(e, CPU, rounds=1, steps_per_round=1, variants=["float32"])
    assert results["data"] is None and results["stages"]["decode"] > 0


def test_a_step_cut_into_stages_has_the_gradients_of_the_whole():
    """Cut at two places by hand and compared with one backward pass."""
    a, b = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    x = torch.rand(5, 3)
    b(a(x).tanh()).square().sum().backward()
    whole = [p.grad.clone() for m in (a, b) for p in m.parameters()]
    a.zero_grad(), b.zero_grad()
    first = StageCut(lambda name, call: call(), "first", lambda x: (a(x).tanh(),), x)
    second = StageCut(lambda name, call: call(), "second", lambda h: (b(h).square().sum(),), first.outputs[0])
    second.outputs[0].grad = torch.ones(())
    second.backward()
    first.backward()
    for p, q in zip((p.grad for m in (a, b) for p in m.parameters()), whole):
        torch.testing.assert_close(p, q)


def test_the_stages_together_are_a_whole_step(monkeypatch):
    """Every parameter gets the gradient of the ordinary step, noise being the same constant."""
    monkeypatch.setattr(torch, "randn", lambda shape, **kw: torch.full(tuple(shape), 0.3))
    monkeypatch.setattr(torch, "rand", lambda *shape, **kw: torch.linspace(0, 1, 4 * 7).view(4, 7))
    x = torch.linspace(0, 1, 4 * 7 * 32 * 32).view(4, 7, 1, 32, 32)

    class Same:
        def sample(self, *args):
            return x

    gradients = {}

    def keep(optimizer, *args):
        gradients["stages"] = [p.grad.clone() for g in optimizer.param_groups for p in g["params"]]

    monkeypatch.setattr("srvp_lite.bench.stages.open_data", lambda *args: Same())
    monkeypatch.setattr(torch.optim.Adam, "step", keep)
    experiment = small_experiment()
    times = stage_times(experiment, CPU, rounds=1)
    assert list(times) == list(STAGES) and all(t >= 0 for t in times.values())
    step, t = Step(experiment, CPU), experiment.train
    loss, _ = step.model.loss(step.model.train()(x), x, t.loss_weights)
    loss.backward()
    for got, p in zip(gradients["stages"], step.model.parameters()):
        torch.testing.assert_close(got, p.grad, rtol=1e-3, atol=1e-4 * p.grad.abs().max().item())


def test_loading_the_official_code_leaves_no_trace(clone):
    before, path = dict(sys.modules), list(sys.path)
    modules = load(clone, "train", "module.srvp")
    assert modules["train"].__file__ == str(clone / "train.py")
    assert sys.path == path
    for name in ("train", "module", "module.srvp", "data", "data.base", "args", "helper", "configargparse"):
        assert sys.modules.get(name) is before.get(name)


@pytest.mark.slow
def test_a_folder_of_something_else_is_refused(tmp_path):
    done = srvp_lite("bench", "lite", "--against", tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "is no clone of the official code: expected module/srvp.py" in done.stderr
