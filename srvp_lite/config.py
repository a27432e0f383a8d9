"""Every number of a run, in three small tables: the model, the data, the training.

Read in chapter 7. The dataclasses are plain and frozen; their field docstrings are the command line's help. Runs that
have a name are in `presets`. Of models and of data there are several kinds: a kind is a class with a `kind` of its own,
listed once, in `ModelConfig` or `DataConfig`. In files a configuration says its kind, so that reading needs no guess.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints


def check_whole_numbers(config: Any, at_least_zero: tuple[str, ...] = ()) -> None:
    """Raises ValueError for a field that should be a whole number of at least 1 (or 0) and is not."""
    for f in dataclasses.fields(config):
        least, value = 0 if f.name in at_least_zero else 1, getattr(config, f.name)
        if f.type == "int" and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ValueError(f"{f.name} must be a whole number of at least {least}, got {value!r}")


def check_choices(config: Any) -> None:
    """Raises ValueError for a field that is none of those its annotation, a `Literal`, lists."""
    for name, hint in get_type_hints(type(config)).items():
        if get_origin(hint) is Literal and getattr(config, name) not in get_args(hint):
            raise ValueError(f"{name} must be one of {', '.join(get_args(hint))}, got {getattr(config, name)!r}")


def check_frames(nx: int, network: str) -> None:
    """Raises ValueError unless there are such networks for frames of nx pixels."""
    if nx < 16 or nx & (nx - 1):
        raise ValueError(f"nx must be a power of two of at least 16, since frames are halved to 4x4, got {nx}")
    if network == "vgg" and nx != 64:
        raise ValueError(f"the VGG networks are made for 64x64 frames, got nx={nx}; use network='dcgan'")


@dataclass(frozen=True)
class SRVPConfig:
    """Sizes of the model. The defaults are those of Stochastic Moving MNIST."""

    kind: ClassVar[str] = "srvp"

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
    transition: Literal["residual", "mlp", "gru"] = "residual"
    """How y moves: by residual steps, as in the paper, or in one go by an MLP or a GRU cell (its ablations)."""
    q_z: Literal["lstm", "window"] = "lstm"
    """What q(z_t) sees: all frames up to t, through an LSTM, or frames t - 1 and t only (an ablation)."""
    use_w: bool = True
    """Whether there is a content variable w; without, y has to hold the content as well (an ablation)."""

    def __post_init__(self) -> None:
        check_whole_numbers(self, at_least_zero=("nz",))  # nz = 0 is the model without noise
        check_choices(self)
        check_frames(self.nx, self.network)
        if self.transition != "residual" and self.steps_per_frame != 1:
            raise ValueError(
                f"an {self.transition} transition makes one step per frame, got steps_per_frame={self.steps_per_frame}"
            )
        if not self.res_gain > 0:
            raise ValueError(f"res_gain must be positive, got {self.res_gain}")

    @property
    def frames_needed(self) -> int:
        """Frames a clip must have at least."""
        return self.nt_inf

    @property
    def is_whole(self) -> bool:
        """Whether this is SRVP itself, no part of it replaced or left out."""
        return self.transition == "residual" and self.q_z == "lstm" and self.use_w and self.nz > 0


@dataclass(frozen=True)
class SVGConfig:
    """Sizes of SVG, stochastic video generation with a learned prior (Denton & Fergus 2018), the autoregressive rival.
    The defaults are those of its authors for Stochastic Moving MNIST."""

    kind: ClassVar[str] = "svg"

    nx: int = 64
    """Height and width of a frame, in pixels."""
    nc: int = 1
    """Channels of a frame: 1 for grey, 3 for colour."""
    network: Literal["dcgan", "vgg"] = "dcgan"
    """Family of the frame encoder and decoder."""
    nf: int = 64
    """Filters of the convolutions at full resolution; doubled at each halving."""
    g_dim: int = 128
    """Size of a frame's encoding, and of the decoder's input."""
    z_dim: int = 10
    """Size of the noise z."""
    rnn_size: int = 256
    """Width of the three LSTMs."""
    predictor_layers: int = 2
    """Layers of the LSTM that predicts the next encoding."""
    posterior_layers: int = 1
    """Layers of the LSTM behind q(z_t)."""
    prior_layers: int = 1
    """Layers of the LSTM behind p(z_t)."""
    n_past: int = 5
    """Conditioning frames. Later frames are decoded with the features of the last but one of them."""
    last_frame_skip: bool = False
    """Decode each frame with the features of the frame before it, predicted ones included."""
    beta: float = 1e-4
    """Weight of the KL terms against the mean squared error of a frame."""

    def __post_init__(self) -> None:
        check_whole_numbers(self)
        check_choices(self)
        check_frames(self.nx, self.network)
        if self.n_past < 2:
            raise ValueError(f"SVG needs two conditioning frames at least, got n_past={self.n_past}")
        if not self.beta > 0:
            raise ValueError(f"beta must be positive, got {self.beta}")

    @property
    def frames_needed(self) -> int:
        """Frames a clip must have at least."""
        return 2


@dataclass(frozen=True)
class MovingDigitsConfig:
    """Moving digits: what moves, on what canvas, how fast."""

    kind: ClassVar[str] = "moving digits"

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
    augment: int = 1
    """Shapes of each training digit: 1 is the digit itself, more adds copies a little turned, sheared and scaled."""
    scene: bool = False
    """Coloured digits on a still textured ground, behind a pillar, with a camera's noise (data/scenes.py); frames then
    have three channels."""


@dataclass(frozen=True)
class VideoConfig:
    """Real videos, from a store of decoded frames (data/video_store.py)."""

    kind: ClassVar[str] = "videos"

    dataset: str
    """Name of the store: the folder `root`/`dataset` holds it ("kth", "human36m", "bair", or your own)."""
    root: str | None = None
    """Folder of the stores; by default the one named by the environment variable SRVP_DATA_DIR."""
    frame_size: int = 64
    """Height and width of a frame, in pixels."""
    on_device: bool = False
    """Keep all frames in the device's memory, as bytes."""


@dataclass(frozen=True)
class LossWeights:
    """What the terms of SRVP's loss weigh; see `model.elbo`."""

    beta_y: float
    """Weight of KL(q(y_1) || N(0, I))."""
    beta_z: float
    """Weight of the KL terms of z."""
    obs_std: float
    """Standard deviation of a pixel around its decoded value."""
    residual_penalty: float
    """Weight of the norm of the residuals."""


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
    kl_start: float = 1.0
    """Share of the weights beta_y, beta_z and residual_penalty with which a run begins, for a decoder that learns to
    draw first; 1 is off, as in the paper."""
    kl_warmup: tuple[float, float] = (0.25, 0.6)
    """Between which shares of the run that share climbs to 1, evenly on a logarithmic scale."""
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

    def __post_init__(self) -> None:
        check_choices(self)
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
        if not 0 < self.kl_start <= 1:
            raise ValueError(f"kl_start is a share of the final weights, above 0 and at most 1, got {self.kl_start}")
        if len(self.kl_warmup) != 2 or not 0 <= self.kl_warmup[0] <= self.kl_warmup[1] <= 1:
            raise ValueError(f"kl_warmup is two shares of the run, the first not the larger, got {self.kl_warmup}")
        if self.time_budget is not None:
            seconds(self.time_budget)

    @property
    def loss_weights(self) -> LossWeights:
        """What a model's `loss` is told of this."""
        return LossWeights(self.beta_y, self.beta_z, self.obs_std, self.residual_penalty)

    @property
    def steps(self) -> int:
        """Steps of the whole run, where no time budget decides it."""
        return self.constant_steps + self.decay_steps


@dataclass(frozen=True)
class AblationConfig:
    """What all runs of an ablation share."""

    size: Literal["lite", "paper"] = "lite"
    """Size of the models and their data."""
    steps: int = 2000
    """Training steps of each run: a quarter at the preset's learning rate, then a linear fall to zero."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """What the networks compute in; "auto" as in `TrainConfig`."""
    n_clips: int = 128
    """Test clips."""
    n_samples: int = 20
    """Futures of each."""
    n_predicted: int = 50
    """Frames predicted; scores are over the first ones, as many as the preset's tests have, and drift over all."""


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


ModelConfig = SRVPConfig | SVGConfig
DataConfig = MovingDigitsConfig | VideoConfig


@dataclass(frozen=True)
class Experiment:
    """One run: a model, its data, its training."""

    model: ModelConfig = field(default_factory=SRVPConfig)
    data: DataConfig = field(default_factory=MovingDigitsConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        t, m = self.train, self.model
        if self.data.frame_size != m.nx:
            raise ValueError(f"the data make frames of {self.data.frame_size} pixels, the model takes {m.nx}")
        if isinstance(self.data, MovingDigitsConfig) and m.nc != (channels := 3 if self.data.scene else 1):
            raise ValueError(f"the data have {channels} channel(s), the model takes {m.nc}: set nc={channels}")
        for name in ("n_cond", "n_frames"):
            if getattr(t, name) < m.frames_needed:
                raise ValueError(
                    f"the model looks at {m.frames_needed} frames, so {name}={getattr(t, name)} are too few"
                )
        if isinstance(m, SVGConfig) and m.n_past != t.n_cond:
            raise ValueError(f"n_past={m.n_past} and n_cond={t.n_cond} both count conditioning frames: make them equal")
        if t.n_frames_test <= t.n_cond:
            raise ValueError(f"n_frames_test={t.n_frames_test} leaves nothing to predict after n_cond={t.n_cond}")

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The three configurations as plain values that JSON can hold, each with its kind where there are several."""
        return {part: config_to_dict(getattr(self, part)) for part in KINDS}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], source: str | Path = "") -> Experiment:
        """The experiment that `to_dict` gave, or an older version's. Raises ValueError, naming `source` and the part or
        the setting, where something is missing, unknown or out of range."""
        where = f"{source}: " if source else ""
        missing = KINDS.keys() - d.keys()
        if missing:
            raise ValueError(f"{where}an experiment has a model, data and train; missing: {', '.join(sorted(missing))}")
        model, data, train = (config_from_dict(part, d[part], source) for part in ("model", "data", "train"))
        try:
            return cls(model, data, train)
        except ValueError as error:
            raise ValueError(f"{where}{error}") from error


# Configurations as plain values, for files ---------------------------------------------------------------------------

KINDS: dict[str, dict[str, type]] = {
    "model": {c.kind: c for c in get_args(ModelConfig)},
    "data": {c.kind: c for c in get_args(DataConfig)},
    "train": {"": TrainConfig},  # the only one, so files name no kind
}


def config_to_dict(config: ModelConfig | DataConfig | TrainConfig) -> dict[str, Any]:
    """The fields of a configuration as plain values, its kind first where there are several."""
    kind = getattr(config, "kind", None)
    return ({} if kind is None else {"kind": kind}) | dataclasses.asdict(config)


def config_from_dict(part: str, d: Mapping[str, Any], source: str | Path = "") -> Any:
    """The configuration that `config_to_dict` gave for a part of an experiment, "model", "data" or "train".

    Fields that an older version did not have take their defaults. Raises ValueError, one sentence that names `source`
    and the setting, for a kind or a setting that does not exist, one that is missing, and a value that cannot be.
    """
    where = f"{source}: {part}" if source else part
    if not isinstance(d, Mapping):
        raise ValueError(f"{where} should be settings by name, got {d!r}")
    settings = {name: tuple(v) if isinstance(v, list) else v for name, v in d.items()}  # JSON knows no tuples
    kinds = KINDS[part]
    kind = settings.pop("kind") if len(kinds) > 1 and "kind" in settings else guessed_kind(part, d)
    if kind not in kinds:
        raise ValueError(f"{where} is of the kind {kind!r}, which is unknown here; there are {', '.join(kinds)}")
    config = kinds[kind]
    hints = {f.name: get_type_hints(config)[f.name] for f in dataclasses.fields(config)}
    required = {f.name for f in dataclasses.fields(config) if f.default is dataclasses.MISSING}
    for names, what in ((settings.keys() - hints.keys(), "unknown here"), (required - settings.keys(), "missing")):
        if names:
            raise ValueError(f"{where} has settings that are {what}: {', '.join(sorted(names))}; another version's?")
    for name, value in settings.items():
        if not fits(value, hints[name]):
            known = get_args(hints[name]) if get_origin(hints[name]) is Literal else ()
            choices = f"; there are {', '.join(known)}" if known else ""
            raise ValueError(f"{where}.{name} cannot be {value!r}{choices}")
    try:
        return config(**settings)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def guessed_kind(part: str, d: Mapping[str, Any]) -> str:
    """The kind of a configuration from a file older than kinds: then there were these, told apart by one field."""
    if part == "model":
        return "svg" if "rnn_size" in d else "srvp"
    if part == "data":
        return "videos" if "dataset" in d else "moving digits"
    return ""


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotation's kind; the annotations are those of the configurations above."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(value, one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        expected = get_args(hint)
        return isinstance(value, tuple) and len(value) == len(expected) and all(map(fits, value, expected))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)
