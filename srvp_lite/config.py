"""Every number of a run, in three small tables: the model, the data, the training. Presets are rows of a table.

Read in chapter 7. The dataclasses are plain and frozen; their field docstrings are the command line's help.
Values of the paper presets are those of the official code (paper, appendix on training details).
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the model. The defaults are those of Stochastic Moving MNIST."""

    nx: int = 64
    """Height and width of a frame, in pixels."""
    nc: int = 1
    """Channels of a frame: 1 for grey, 3 for colour."""
    network: Literal["dcgan", "vgg"] = "dcgan"
    """Family of the frame encoder and decoder."""
    skip: bool = False
    """Whether the decoder sees the encoder's features of one frame (for still backgrounds)."""
    nf: int = 64
    """Filters of the convolutions at full resolution; doubled at each halving."""
    nhx: int = 128
    """Size of a frame's encoding."""
    ny: int = 20
    """Size of the state y."""
    nz: int = 20
    """Size of the noise z."""
    nt_inf: int = 5
    """k: how many frames q(y_1) and w look at."""
    nh_inf: int = 256
    """Width of the inference networks, and size of w."""
    nlayers_inf: int = 3
    """Layers of the network behind q(y_1)."""
    nh_res: int = 512
    """Width of f and of the prior network."""
    nlayers_res: int = 4
    """Layers of f and of the prior network."""
    steps_per_frame: int = 1
    """Euler steps between two frames, in training and by default in prediction."""
    res_gain: float = 1.41
    """Gain of the orthogonal initialisation of f."""

    def __post_init__(self):
        whole = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.type == "int"}
        for name, value in whole.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.network not in ("dcgan", "vgg"):
            raise ValueError(f"network must be 'dcgan' or 'vgg', got {self.network!r}")
        if self.nx < 16 or self.nx & (self.nx - 1):
            raise ValueError(f"nx must be a power of two of at least 16, since frames are halved to 4x4, got {self.nx}")
        if self.network == "vgg" and self.nx != 64:
            raise ValueError(f"the VGG networks are made for 64x64 frames, got nx={self.nx}; use network='dcgan'")
        if not self.res_gain > 0:
            raise ValueError(f"res_gain must be positive, got {self.res_gain}")

    @classmethod
    def paper(cls, dataset: str) -> ModelConfig:
        """The model of the paper for "smmnist", "mmnist", "kth", "human36m" or "bair"."""
        if dataset not in PAPER_MODELS:
            raise ValueError(f"no paper model named {dataset!r}; there are {', '.join(PAPER_MODELS)}")
        return PAPER_MODELS[dataset]

    @classmethod
    def lite(cls) -> ModelConfig:
        """A model for 32x32 frames that a laptop's CPU trains in about an hour."""
        return LITE_MODEL


_video = dict(network="vgg", skip=True, ny=50, nz=50, steps_per_frame=2)  # what the three camera data sets share
PAPER_MODELS = {
    "smmnist": ModelConfig(),
    "mmnist": ModelConfig(),
    "kth": ModelConfig(**_video, nc=1, nt_inf=3, res_gain=1.2),
    "human36m": ModelConfig(**_video, nc=3, nt_inf=3, res_gain=1.2),
    "bair": ModelConfig(**_video, nc=3, nt_inf=2, res_gain=1.41),
}
LITE_MODEL = ModelConfig(nx=32, nf=16, nhx=64, ny=16, nz=16, nh_inf=128, nh_res=256)


@dataclass(frozen=True)
class DataConfig:
    """Moving digits: what moves, on what canvas, how fast."""

    digits: Literal["sklearn", "mnist"] = "mnist"
    """Where the digits come from: scikit-learn's bundled ones (offline) or MNIST's IDX files."""
    root: str | None = None
    """Folder of the MNIST files; by default the one named by the environment variable SRVP_DATA_DIR."""
    digit_size: int = 28
    """Height and width of a digit's sprite, in pixels."""
    frame_size: int = 64
    """Height and width of a frame, in pixels."""
    n_digits: int = 2
    """Digits in a clip."""
    max_speed: int = 4
    """Largest speed along an axis, in pixels per frame; speeds are whole numbers, zero included."""
    stochastic: bool = True
    """Whether a digit draws a new velocity when it hits a wall; otherwise it is reflected."""


@dataclass(frozen=True)
class VideoConfig:
    """Real videos, from a store of decoded frames (data/video.py)."""

    dataset: str
    """Name of the store: the folder `root`/`dataset` holds it ("kth", "human36m", "bair", or your own)."""
    root: str | None = None
    """Folder of the stores; by default the one named by the environment variable SRVP_DATA_DIR."""
    frame_size: int = 64
    """Height and width of a frame, in pixels."""
    on_device: bool = False
    """Keep all frames in the device's memory, as bytes."""


@dataclass(frozen=True)
class TrainConfig:
    """The loss, the schedule and the bookkeeping of a run."""

    beta_y: float = 1.0
    """Weight of KL(q(y_1) || N(0, I))."""
    beta_z: float = 2.0
    """Weight of the KL terms of z."""
    obs_std: float = 1.0
    """Standard deviation of a pixel around its decoded value; too large a value lets the posterior collapse."""
    residual_penalty: float = 1.0
    """Weight of the norm of the residuals."""
    batch_size: int = 128
    """Clips per step."""
    n_cond: int = 5
    """Conditioning frames when the model is validated and tested."""
    n_frames: int = 15
    """Frames of a training clip."""
    n_frames_test: int = 25
    """Frames of a validation and test clip, conditioning frames included."""
    lr: float = 3e-4
    """Adam's learning rate, constant at first."""
    warmup_steps: int = 0
    """First steps, in which the learning rate climbs linearly to its constant value; under a time budget, a twentieth
    of the run at most."""
    constant_steps: int = 1_000_000
    """Steps at constant learning rate, warm-up included."""
    decay_steps: int = 100_000
    """Steps after that, in which the learning rate falls to zero."""
    decay: Literal["linear", "cosine"] = "linear"
    """Shape of that fall."""
    time_budget: str | None = None
    """Fit the whole run into this much time, as in "25m", "1h30m" or "90s". The number of steps is then whatever the
    machine manages, and constant_steps and decay_steps only say in what proportion to share it out."""
    accumulate: int = 1
    """Parts into which a step's batch is cut, one after the other, to save memory. Batch norms see one part each."""
    clip_grad_norm: float | None = None
    """Largest norm of the gradient; longer ones are shortened to it. Off by default, as in the paper."""
    ema_decay: float = 0.0
    """Validate and save a moving average of the weights, which keeps this share of itself at each step (0.999, say);
    0 is off, as in the paper."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """What the networks compute in; the loss is float32 always. "auto" is bf16 on GPUs that know it, else float32."""
    compile: bool = False
    """Compile the networks and the loop over time with torch.compile: about a minute at the start, faster steps."""
    cuda_graph: bool = False
    """Record a step once and replay it as one launch (one CUDA GPU only)."""
    seed: int = 1
    """Seed of everything: weights, data and noise of each step."""
    val_interval: int = 1000
    """Steps between two validations."""
    val_clips: int = 128
    """Clips of the validation set."""
    val_samples: int = 4
    """Futures drawn per validation clip; the best PSNR counts."""
    checkpoint_interval: int = 500
    """Steps between two checkpoints, from which a killed run resumes."""
    log_interval: int = 50
    """Steps between two lines of the log."""

    def __post_init__(self):
        for name in ("batch_size", "accumulate", "log_interval", "val_interval", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)}")
        for name in ("warmup_steps", "constant_steps", "decay_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size={self.batch_size} cannot be cut into accumulate={self.accumulate} equal parts"
            )
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be at least 0 (off) and less than 1, got {self.ema_decay}")
        if self.clip_grad_norm is not None and not self.clip_grad_norm > 0:
            raise ValueError(f"clip_grad_norm must be positive, or left out, got {self.clip_grad_norm}")
        if self.time_budget is not None:
            seconds(self.time_budget)

    @property
    def steps(self) -> int:
        """Steps of the whole run, where no time budget decides it."""
        return self.constant_steps + self.decay_steps


def seconds(duration: str) -> float:
    """Seconds in a duration written like "25m", "1h30m", "90s" or "2d"."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"a time is written like 25m, 1h30m or 90s, got {duration!r}")
    total = sum(float(number) * units[unit] for number, unit in parts)
    if not total > 0:
        raise ValueError(f"a time budget must be longer than nothing, got {duration!r}")
    return total


@dataclass(frozen=True)
class Experiment:
    """One run: a model, its data, its training."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig | VideoConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self):
        t, m = self.train, self.model
        if self.data.frame_size != m.nx:
            raise ValueError(f"the data make frames of {self.data.frame_size} pixels, the model takes {m.nx}")
        if t.n_cond < m.nt_inf:
            raise ValueError(f"the model looks at {m.nt_inf} frames (nt_inf), so n_cond={t.n_cond} are too few")
        if t.n_frames < m.nt_inf:
            raise ValueError(f"the model looks at {m.nt_inf} frames (nt_inf), so n_frames={t.n_frames} are too few")
        if t.n_frames_test <= t.n_cond:
            raise ValueError(f"n_frames_test={t.n_frames_test} leaves nothing to predict after n_cond={t.n_cond}")

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, d: dict) -> Experiment:
        data = VideoConfig if "dataset" in d["data"] else DataConfig
        try:
            return cls(ModelConfig(**d["model"]), data(**d["data"]), TrainConfig(**d["train"]))
        except TypeError as error:
            raise ValueError(f"these settings are of another version of srvp-lite ({error})") from error


_lite_data = DataConfig(digits="sklearn", digit_size=12, frame_size=32, max_speed=2)
_lite_train = TrainConfig(
    # obs_std: a digit misplaced by half a pixel then weighs about as much against the KL as in the paper, where
    # digits are larger and obs_std is 1. With 0.3 z corrects the state at every frame, and f learns more slowly.
    # val_samples: with few samples, the best one's PSNR favours a blur in the stochastic set.
    obs_std=0.5, batch_size=16, n_frames=15, n_frames_test=20, lr=1.5e-3, constant_steps=6_000, decay_steps=18_000,
    val_samples=20,
)  # fmt: skip
_video_train = dict(beta_z=1.0, batch_size=100, obs_std=0.2)
PRESETS = {
    "lite": Experiment(LITE_MODEL, _lite_data, _lite_train),
    "lite-deterministic": Experiment(LITE_MODEL, dataclasses.replace(_lite_data, stochastic=False), _lite_train),
    "smmnist": Experiment(),
    "mmnist": Experiment(
        data=DataConfig(stochastic=False),
        train=TrainConfig(constant_steps=800_000, n_frames_test=100),
    ),
    "kth": Experiment(
        PAPER_MODELS["kth"],
        VideoConfig("kth"),
        TrainConfig(
            **_video_train, n_cond=10, n_frames=20, n_frames_test=40, constant_steps=150_000, decay_steps=50_000
        ),
    ),
    "human36m": Experiment(
        PAPER_MODELS["human36m"],
        VideoConfig("human36m"),
        TrainConfig(
            **_video_train, n_cond=8, n_frames=16, n_frames_test=53, constant_steps=325_000, decay_steps=25_000
        ),
    ),
    "bair": Experiment(
        PAPER_MODELS["bair"],
        VideoConfig("bair"),
        TrainConfig(
            beta_z=1.0,
            batch_size=192,
            obs_std=0.71,
            n_cond=2,
            n_frames=12,
            n_frames_test=30,
            constant_steps=1_000_000,
            decay_steps=500_000,
        ),  # fmt: skip
    ),
    # Not the paper's schedule: what of it can be had within a time budget, half of it spent on the fall to zero.
    "smmnist-speedrun": Experiment(
        train=TrainConfig(
            time_budget="25m",
            lr=1e-3,
            warmup_steps=1000,
            constant_steps=50,
            decay_steps=50,
            decay="cosine",
            ema_decay=0.999,
            clip_grad_norm=2000.0,
            compile=True,
            val_interval=2000,
        ),  # fmt: skip
    ),
}


@dataclass(frozen=True)
class Protocol:
    """How the paper tests on a data set."""

    n_cond: int
    """Conditioning frames."""
    n_frames: int
    """Frames of a test clip, conditioning frames included."""
    n_samples: int
    """Futures per clip, of which the best counts."""
    n_clips: int
    """Test clips."""
    perceptual: bool
    """Whether LPIPS and FVD are reported."""


PROTOCOLS = {
    "smmnist": Protocol(5, 25, 100, 5000, False),
    "mmnist": Protocol(5, 100, 1, 5000, False),
    "kth": Protocol(10, 40, 100, 1000, True),
    "human36m": Protocol(8, 53, 100, 1000, True),
    "bair": Protocol(2, 30, 100, 256, True),
}


def paper_dataset(data: DataConfig | VideoConfig) -> str | None:
    """The name of the paper's data set that a configuration asks for; None if it is another one."""
    if isinstance(data, VideoConfig):
        return data.dataset if data.dataset in PROTOCOLS else None
    if data != DataConfig(stochastic=data.stochastic, root=data.root):
        return None
    return "smmnist" if data.stochastic else "mmnist"


PRESET_HELP = {
    "lite": "two digits on 32x32, new velocity at a wall; for a CPU",
    "lite-deterministic": "two digits on 32x32, reflected at a wall; for a CPU",
    "smmnist": "the paper's Stochastic Moving MNIST; needs a GPU and the MNIST files",
    "mmnist": "the paper's deterministic Moving MNIST; needs a GPU and the MNIST files",
    "kth": "the paper's KTH; needs a GPU and a store of its videos",
    "human36m": "the paper's Human3.6M; needs a GPU and a store of its videos",
    "bair": "the paper's BAIR robot pushing; needs a GPU and a store of its videos",
    "smmnist-speedrun": "Stochastic Moving MNIST in 25 minutes of a large GPU; needs the MNIST files",
}
