"""From what a configuration asks for to the data: clips to train on, to validate on, to test on."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import UInt8
from torch import Tensor

from srvp_lite.config import DataConfig, MovingDigitsConfig, VideoConfig
from srvp_lite.data.moving_mnist import MovingMNIST, official_test_set
from srvp_lite.data.video_store import VideoStore, open_videos
from srvp_lite.presets import paper_protocol


def open_data(data: DataConfig, split: str, device: str | torch.device = "cpu") -> MovingMNIST | VideoStore:
    """The data a configuration asks for, made or read on `device`; `split` is "train", "val" or "test"."""
    if isinstance(data, VideoConfig):
        return videos(data, split, device)
    return moving_digits(data, split, device)


def videos(data: VideoConfig, split: str, device: str | torch.device = "cpu") -> VideoStore:
    """The store of videos a configuration asks for; `split` is "train", "val" or "test"."""
    return open_videos(data.dataset, split, data.root, data.on_device).to(device)


def moving_digits(data: MovingDigitsConfig, split: str, device: str | torch.device = "cpu") -> MovingMNIST:
    """The moving digits a configuration asks for; `split` is "train", "val" or "test"."""
    return MovingMNIST(split=split, **dataclasses.asdict(data)).to(device)


def test_clips(data: DataConfig, n_clips: int, n_frames: int) -> UInt8[Tensor, "n t c h w"]:
    """Test clips (n_clips, n_frames, C, H, W), bytes: the official ones at the paper's sizes, else clips made with a
    fixed seed from held-out digits. There may be fewer than asked for."""
    if isinstance(data, VideoConfig):
        return videos(data, "test").first_frames(slice(n_clips), n_frames)
    if (paper := paper_protocol(data)) is not None:
        try:  # made once and for all by `srvp-lite prepare mmnist`
            return open_videos(paper.dataset, "test", data.root).first_frames(slice(n_clips), n_frames)
        except FileNotFoundError:
            clips = official_test_set(data.root, deterministic=not data.stochastic)
        if n_frames > clips.shape[1]:
            raise ValueError(f"the official test clips have {clips.shape[1]} frames, {n_frames} were asked for")
        return torch.as_tensor(clips[:n_clips, :n_frames, None])
    return moving_digits(data, "test").sample_bytes(n_clips, n_frames, torch.Generator().manual_seed(42))
