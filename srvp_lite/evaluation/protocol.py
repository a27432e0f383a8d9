"""The paper's protocol: many futures per test clip, the best one counts, per metric.

Read in chapter 8. Conditioning frames never count. The best of many samples says whether the true future is among
those the model imagines; it flatters a model whose samples are merely spread out, so the expected score of one
sample is reported beside it, and whether the samples are as far apart as the truth is from them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor
from tqdm.auto import tqdm

from srvp_lite.evaluation.drawing import SEED, Scoring, draw_futures
from srvp_lite.evaluation.scoring import Scorer, Scores
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.fused import fused_networks
from srvp_lite.utils.files import read_tensors, write_tensors

SAVE_EVERY = 60  # seconds between two savings of the scores so far


@torch.no_grad()
def score_samples(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    generator: torch.Generator | None = None,
    scoring: Scoring | None = None,
    partial: str | Path | None = None,
    progress: bool = False,
) -> Scores:
    """Scores `n_samples` futures of each clip, frame by frame.

    `clips` are floats in [0, 1] or bytes. The first `n_cond` frames of the clips condition, the rest is the truth. Of
    `generator` the seed it started from is used (42 without one): each group of clips has noise of its own from it, as
    `draw_futures` says, so the scores do not depend on what was drawn before. `scoring` says which metrics, and how.
    `partial` is a file in which the scores so far are kept, once a minute, and from which an interrupted call with the
    same arguments goes on. Raises ValueError for a metric that does not exist, clips too short, and a partial file of
    other arguments, naming them.
    """
    scoring = Scoring() if scoring is None else scoring
    seed = SEED if generator is None else generator.initial_seed()
    n_clips, n_frames = clips.shape[0], clips.shape[1] - n_cond
    if n_frames < 1:
        raise ValueError(f"clips of {clips.shape[1]} frames leave nothing to predict after n_cond={n_cond}")
    scorer = Scorer(n_clips, n_frames, n_samples, scoring)
    asked: dict[str, Any] = {}
    if partial is not None:
        asked = {
            "clips": n_clips, "frames given": n_cond, "frames predicted": n_frames, "samples": n_samples, "seed": seed,
            "metrics": list(scoring.names()), "frames_per_call": scoring.frames_per_call,
            "steps_per_frame": scoring.steps_per_frame, "bf16": scoring.bf16,
            "hash of the model": digest(model.state_dict().values()), "hash of the clips": digest([clips]),
        }  # fmt: skip
        if Path(partial).is_file():
            scorer.load_state_dict(read_partial(partial, asked))
    saved = time.perf_counter()
    with (
        fused_networks(model, scoring.bf16),
        tqdm(total=n_clips, initial=scorer.done, disable=not progress, desc="evaluate", unit="clip") as bar,
    ):
        for futures in draw_futures(model, clips, n_cond, n_samples, scoring, seed, scorer.done):
            before = scorer.done
            scorer.add(futures)
            bar.update(scorer.done - before)
            if partial is not None and scorer.done > before and time.perf_counter() - saved > SAVE_EVERY:
                write_tensors(partial, {"of": asked, **scorer.state_dict()})
                saved = time.perf_counter()
    if partial is not None:
        write_tensors(partial, {"of": asked, **scorer.state_dict()})
    return scorer.result()


def read_partial(path: str | Path, asked: dict[str, Any]) -> dict[str, Any]:
    """The scores that an interrupted call with the same arguments left. Raises ValueError, naming what differs."""
    state = read_tensors(path)
    there = state.get("of")
    if not isinstance(there, dict):
        raise ValueError(f"{path} is part of an evaluation by another version; delete it to start over")
    if there != asked:
        different = [
            f"{name}: {short(there.get(name))} there, {short(asked.get(name))} asked"
            for name in {**asked, **there}
            if there.get(name) != asked.get(name)
        ]
        raise ValueError(f"{path} holds part of another evaluation ({'; '.join(different)}); delete it to start over")
    return state


def short(value: Any) -> str:
    """A value for a message: of a hash, its beginning."""
    return value[:12] if isinstance(value, str) else str(value)


def digest(tensors: Iterable[Tensor]) -> str:
    """A hash of what tensors hold."""
    h = hashlib.sha256()
    for t in tensors:
        h.update(t.detach().cpu().contiguous().numpy().data)
    return h.hexdigest()
