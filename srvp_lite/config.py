"""Every number of a run, in three small tables: the model, the data, the training. Presets are rows of a table.

Read in chapter 7. The dataclasses are plain and frozen; their field docstrings are the command line's help.
Values of the paper presets are those of the official code (paper, appendix on training details).
"""

from __future__ import annotations

import dataclasses
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
    constant_steps: int = 1_000_000
    """Steps at constant learning rate."""
    decay_steps: int = 100_000
    """Steps after that, in which the learning rate falls linearly to zero."""
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

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.constant_steps + self.decay_steps

    def learning_rate(self, step: int) -> float:
        """The learning rate of step number `step`, counted from 0."""
        left = self.steps - step
        return self.lr * min(1.0, max(0.0, left / max(1, self.decay_steps)))


@dataclass(frozen=True)
class Experiment:
    """One run: a model, its data, its training."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
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
        return cls(ModelConfig(**d["model"]), DataConfig(**d["data"]), TrainConfig(**d["train"]))


_lite_data = DataConfig(digits="sklearn", digit_size=12, frame_size=32, max_speed=2)
_lite_train = TrainConfig(
    # obs_std: a digit misplaced by half a pixel then weighs about as much against the KL as in the paper, where
    # digits are larger and obs_std is 1. With 0.3 z corrects the state at every frame, and f learns more slowly.
    # val_samples: with few samples, the best one's PSNR favours a blur in the stochastic set.
    obs_std=0.5, batch_size=16, n_frames=15, n_frames_test=20, lr=1.5e-3, constant_steps=6_000, decay_steps=18_000,
    val_samples=20,
)  # fmt: skip
PRESETS = {
    "lite": Experiment(LITE_MODEL, _lite_data, _lite_train),
    "lite-deterministic": Experiment(LITE_MODEL, dataclasses.replace(_lite_data, stochastic=False), _lite_train),
    "smmnist": Experiment(),
    "mmnist": Experiment(
        data=DataConfig(stochastic=False),
        train=TrainConfig(constant_steps=800_000, decay_steps=100_000, n_frames_test=100),
    ),
}
PRESET_HELP = {
    "lite": "two digits on 32x32, new velocity at a wall; for a CPU",
    "lite-deterministic": "two digits on 32x32, reflected at a wall; for a CPU",
    "smmnist": "the paper's Stochastic Moving MNIST; needs a GPU and the MNIST files",
    "mmnist": "the paper's deterministic Moving MNIST; needs a GPU and the MNIST files",
}
