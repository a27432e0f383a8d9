"""Looks for a recipe on a small budget: many short runs, the better half goes on with twice the steps, and so on.

Successive halving (Jamieson and Talwalkar 2016). Every run is a whole one, its learning rate falls to zero at the end
of its own budget; every run is kept in the results, whatever became of it. Training, validation digits and seeds are
those of the package; no test digit is looked at. Stop it and run it again as you like: runs that are done are not done
again.

    python book/_scripts/search_recipe.py --digits 2 --kind deterministic --steps 1000 --out data/results/recipe.json
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import time
from pathlib import Path

# A candidate is what it changes of the base: options of the model, the data and the training, by name. "cost" is how
# many steps it makes in the time of one of the base's, so that all have about the same.
BASE = dict(
    model=dict(nf=32, steps_per_frame=2),
    train=dict(obs_std=0.5, kl_start=0.16, lr=3e-3, warmup=0.05, decay="cosine", precision="bf16", batch_size=16),
)
CANDIDATES = {
    "base": {},
    "today": dict(
        model=dict(nf=16, steps_per_frame=1), cost=1.7,
        train=dict(kl_start=1.0, lr=1.5e-3, warmup=0.0, decay="linear", precision="float32", clip=False),
    ),
    "std 0.2": dict(train=dict(obs_std=0.2, kl_start=1.0)),
    "std 0.3": dict(train=dict(obs_std=0.3, kl_start=0.44)),
    "std 0.7": dict(train=dict(obs_std=0.7, kl_start=0.08)),
    "no KL warm-up": dict(train=dict(kl_start=1.0)),
    "KL warm-up ends at 0.9": dict(train=dict(kl_warmup=(0.25, 0.9))),
    "lr 1.5e-3": dict(train=dict(lr=1.5e-3)),
    "lr 6e-3": dict(train=dict(lr=6e-3)),
    "batch 8": dict(train=dict(batch_size=8), cost=1.9),
    "10 frames": dict(train=dict(n_frames=10), cost=1.45),
    "width 16": dict(model=dict(nf=16), cost=1.7),
    "K = 1": dict(model=dict(steps_per_frame=1)),
    "average 0.998": dict(train=dict(ema_decay=0.998)),
    "8 shapes a digit": dict(data=dict(augment=8)),
    "larger y, z, w": dict(model=dict(ny=32, nz=32, nh_inf=256, nhx=128)),
}  # fmt: skip


def experiment_of(name: str, n_digits: int, kind: str, steps: int, seed: int):
    """The experiment of one run."""
    from srvp_lite.config import Experiment
    from srvp_lite.presets import preset

    lite, change = preset("lite"), CANDIDATES[name]
    model = BASE["model"] | change.get("model", {})
    train = BASE["train"] | change.get("train", {})
    steps = round(steps * change.get("cost", 1.0))
    warmup = round(steps * train.pop("warmup"))
    clip = 200 / train["obs_std"] ** 2 if train.pop("clip", True) else None  # gradients are as large as 1 / variance
    return Experiment(
        dataclasses.replace(lite.model, **model),
        dataclasses.replace(
            lite.data, n_digits=n_digits, stochastic=kind == "stochastic", **change.get("data", {})
        ),
        dataclasses.replace(
            lite.train, seed=seed, warmup_steps=warmup, constant_steps=steps // 4, decay_steps=steps - steps // 4,
            clip_grad_norm=clip, val_interval=steps, checkpoint_interval=steps, val_clips=16, val_samples=1, **train,
        ),
    )  # fmt: skip


def one_run(folder: Path, name: str, n_digits: int, kind: str, steps: int, seed: int) -> dict:
    """Trains one candidate and scores it on 200 validation clips."""
    import torch

    from srvp_lite import checkpoint, metrics
    from srvp_lite.data.open import moving_digits
    from srvp_lite.evaluation.protocol import score_samples
    from srvp_lite.training import Diverged, train
    from srvp_lite.utils.provenance import commit

    torch.set_num_threads(1)
    start = time.perf_counter()
    experiment = experiment_of(name, n_digits, kind, steps, seed)
    run = dict(candidate=name, n_digits=n_digits, kind=kind, budget=steps, steps=experiment.train.steps, seed=seed,
               commit=commit())  # fmt: skip
    try:
        train(experiment, folder, "auto")
    except Diverged as error:
        return run | dict(failed=str(error))
    seconds = time.perf_counter() - start
    model = checkpoint.load(folder / "last.safetensors")
    t = experiment.train
    clips = moving_digits(experiment.data, "val").sample_bytes(200, 20, torch.Generator().manual_seed(0))
    scores = score_samples(model, clips, t.n_cond, 10)
    psnr, ssim = (scores.metrics[m].mean(dim=2) for m in ("psnr", "ssim"))
    x = clips.float() / 255
    with torch.no_grad():
        out = model(x, torch.Generator().manual_seed(0))
        given, truth = x[:, : t.n_cond], x[:, t.n_cond :]
        baseline = max(
            metrics.psnr(f(given, truth.shape[1]), truth).mean() for f in (metrics.copy_last, metrics.mean_frame)
        )
    return run | dict(
        ssim_best=ssim.amax(0).mean().item(), ssim=ssim.mean().item(), psnr_best=psnr.amax(0).mean().item(),
        psnr=psnr.mean().item(), over_baseline=psnr.mean().item() - baseline.item(),
        reconstruction=metrics.psnr(out.frames, x).mean().item(),
        kl_z=out.q_z.kl(out.p_z).flatten(1).sum(1).mean().item(), seconds=round(seconds, 1),
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=2)
    parser.add_argument("--kind", choices=("stochastic", "deterministic"), default="deterministic")
    parser.add_argument("--steps", type=int, default=1000, help="steps of the first round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="*", help="these candidates alone")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--out", type=Path, default=Path("data/results/recipe.json"))
    args = parser.parse_args()

    from srvp_lite.utils.files import write_json

    keys = ("candidate", "n_digits", "kind", "budget", "seed")
    runs = json.loads(args.out.read_text())["runs"] if args.out.is_file() else []
    names, steps = args.only or list(CANDIDATES), args.steps
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(args.jobs, context) as pool:
        for _ in range(args.rounds):
            done = {tuple(r[k] for k in keys): r for r in runs}
            wanted = [(n, args.digits, args.kind, steps, s) for n in names for s in args.seeds]
            waiting = []
            for run in wanted:
                if run not in done:
                    folder = args.runs / "-".join(str(v).replace(" ", "_") for v in run)
                    waiting.append(pool.submit(one_run, folder, *run))
            for future in concurrent.futures.as_completed(waiting):
                runs.append(future.result())
                done[tuple(runs[-1][k] for k in keys)] = runs[-1]
                write_json(args.out, {"base": BASE, "candidates": CANDIDATES, "runs": runs})
                print({k: round(v, 3) if isinstance(v, float) else v for k, v in runs[-1].items()}, flush=True)
            score = {n: [done[r].get("ssim_best", 0.0) for r in wanted if r[0] == n] for n in names}
            names = sorted(names, key=lambda n: -sum(score[n]))[: -(-len(names) // 2)]
            steps *= 2


if __name__ == "__main__":
    main()
