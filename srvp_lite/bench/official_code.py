"""The official code beside ours: its own training step and its own data, imported from a clone the reader has.

Nothing of it is copied here. What its modules import and these measurements do not need (an argument parser, a
data-set library) is replaced by empty modules while they load, and leaves no trace after.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import torch

from srvp_lite.checkpoint.official import official_name
from srvp_lite.config import Experiment, MovingDigitsConfig, SRVPConfig

THEIRS = ("args", "helper", "train", "module", "data", "metrics")  # names of their modules at top level
NOT_NEEDED = ("configargparse", "torchvision", "torchvision.datasets")


class Official:
    """The official model of an experiment, its optimizer and its data."""

    def __init__(self, folder: str | Path, experiment: Experiment, device: torch.device):
        folder = Path(folder)
        if not (folder / "module" / "srvp.py").is_file():
            raise FileNotFoundError(
                f"{folder} is no clone of the official code: expected module/srvp.py and train.py in it. Get one with "
                "git clone https://github.com/edouardelasalles/srvp"
            )
        self.modules = load(folder, "train", "module.srvp", "data.mmnist", "data.base", "metrics.ssim")
        m, t = experiment.model, experiment.train
        if not (isinstance(m, SRVPConfig) and m.is_whole):
            raise ValueError("the official code knows only the full SRVP model: leave out --against for this one")
        self.model = self.modules["module.srvp"].StochasticLatentResidualVideoPredictor(
            m.nx, m.nc, m.nf, m.nhx, m.ny, m.nz, m.skip, m.nt_inf, m.nh_inf, m.nlayers_inf, m.nh_res, m.nlayers_res,
            m.network,
        )  # fmt: skip
        self.model.init(res_gain=m.res_gain)
        self.model.to(device).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=t.lr)
        self.device = device
        self.options = types.SimpleNamespace(
            n_euler_steps=m.steps_per_frame, obs_scale=t.obs_std, beta_y=t.beta_y, beta_z=t.beta_z,
            l2_res=t.residual_penalty, torch_amp=False, apex_amp=False,
        )  # fmt: skip

    def stepper(self, x: torch.Tensor) -> Callable[[], None]:
        """A call that trains one step of theirs, in float32, on clips (B, T, C, H, W); warmed up."""
        batch = x.transpose(0, 1).contiguous()  # they put time first

        def call() -> None:
            with (
                as_they_run_it(),
                torch.backends.cudnn.flags(enabled=True, benchmark=True),
            ):  # as their training script sets it
                self.modules["train"].train(self.model, self.optimizer, None, batch, self.device, self.options)

        for _ in range(2):
            call()
        return call

    def take_weights(self, ours: torch.nn.Module) -> None:
        self.model.load_state_dict({official_name(name): t for name, t in ours.state_dict().items()})

    @torch.no_grad()
    def decode(self, given: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Their frames (B, T, C, H, W) of states y (B, T, ny) and content w, with the skips of the given frames."""
        self.model.eval()
        with as_they_run_it():
            skips = self.model.encode(given.transpose(0, 1).contiguous())[1] if self.model.skipco else None
            return self.model.decode(w, y.transpose(0, 1).contiguous(), skips).transpose(0, 1)

    def evaluator(self, clips: torch.Tensor, n_cond: int) -> Callable[[int], None]:
        """A call that draws a number of samples for clips (B, T, C, H, W) and scores PSNR and SSIM, one sample after
        the other, as their test script does; LPIPS is left out."""
        x = clips.transpose(0, 1).contiguous()
        given, truth, n_frames = x[:n_cond], x[n_cond:], len(x) - n_cond
        dt, model, ssim_loss = 1 / self.options.n_euler_steps, self.model, self.modules["metrics.ssim"].ssim_loss

        def flat(video: torch.Tensor) -> torch.Tensor:
            return video.reshape(-1, *video.shape[2:])

        @torch.no_grad()
        def call(n_samples: int) -> None:
            model.eval()
            with as_they_run_it():
                draw_and_score(n_samples)

        def draw_and_score(n_samples: int) -> None:
            skip = model.encode(given)[1] if model.skipco else None
            for _ in range(n_samples):
                _, y, _, w, *_ = model(given, n_cond, dt=dt)
                states = model.generate(y[-1], [], n_frames + 1, dt=dt)[0]
                future = model.decode(w, states[1:].contiguous(), skip).clamp(0, 1)
                mse = (future - truth).square().mean(dim=[3, 4])
                (10 * torch.log10(1 / mse)).mean(2).mean(0).cpu()
                ssim = ssim_loss(flat(future), flat(truth), max_val=1.0, reduction="none")
                ssim.mean(dim=[2, 3]).view(*future.shape[:3]).mean(2).mean(0).cpu()
                future.cpu().mul(255).byte()

        return call

    def data_calls(
        self, sprites, data: MovingDigitsConfig, batch_size: int, n_frames: int
    ) -> dict[str, Callable[[], object]]:
        """Calls that make a batch of their moving digits: as bytes, and as the floats their loader gives."""
        clips = self.modules["data.mmnist"].MovingMNIST(
            list(sprites), data.frame_size, n_frames, data.max_speed, not data.stochastic, data.n_digits, True
        )
        collate = self.modules["data.base"].collate_fn

        def as_bytes():
            return [clips[i] for i in range(batch_size)]

        return {"bytes": as_bytes, "floats": lambda: collate(as_bytes())}


@contextmanager
def as_they_run_it():
    """PyTorch's own settings: full float32 products, convolutions that are not tried out first."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False):  # off, if not said otherwise
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def load(folder: Path, *names: str) -> dict[str, types.ModuleType]:
    """Imports modules of the clone, with what they do not need replaced, and puts `sys` back as it was."""

    def ours(name: str) -> bool:
        return name.split(".")[0] not in THEIRS and name not in NOT_NEEDED

    before = {name: module for name, module in sys.modules.items() if not ours(name)}
    for name in before:
        del sys.modules[name]
    for name in (*NOT_NEEDED, "args", "helper"):
        sys.modules[name] = types.ModuleType(name)
    vars(sys.modules["torchvision"])["datasets"] = sys.modules["torchvision.datasets"]
    sys.path.insert(0, str(folder))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if not ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)
