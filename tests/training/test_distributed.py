"""Many processes: the gradients of one, one log, checkpoints that any number of processes can go on from."""

import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from small import TESTS, lines_of, small_experiment, train_arguments

from srvp_lite.model.elbo import elbo
from srvp_lite.training.distributed import World, join
from srvp_lite.training.step import Step
from srvp_lite.utils.seeds import seed_of

pytestmark = pytest.mark.slow

HERE = TESTS / "training"


def step_of(device, world=None) -> Step:
    return Step(small_experiment(batch_size=6), device, world)


def torchrun(n, *arguments, options=()):
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(n), "--standalone", *options,
            *map(str, arguments)]  # fmt: skip


def train_command(n, out, *more):
    return torchrun(n, "-m", "srvp_lite", *train_arguments(out, *more))


def train_with_signal(n, number, step, target, out, options=()):
    """The last of n processes gets the signal, or sends it to torchrun, before that step."""
    return torchrun(n, HERE / "stopping.py", number, step, target, *train_arguments(out), options=options)


def execute(command):
    paths = os.pathsep.join(map(str, (TESTS, HERE)))
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})


def weights(out):
    return safetensors.torch.load_file(out / "last.safetensors")


def clips_of_rank(rank, size):
    g = torch.Generator().manual_seed(100 + rank)
    return torch.rand(6 // size, 7, 1, 32, 32, generator=g)


def gradients_of_a_rank():
    """Run by each of two processes: one step's gradients through DDP, in evaluation mode, saved by the main one."""
    torch.set_num_threads(1)
    with join(torch.device("cpu")) as (world, device):
        step = step_of(device, world)
        step.wrapped.eval()
        t = step.config
        step.generator.manual_seed(seed_of(t.seed, 0, world.rank, "noise"))
        x = clips_of_rank(world.rank, world.size)
        loss, _ = elbo(step.wrapped(x, step.generator), x, t.beta_y, t.beta_z, t.obs_std, t.residual_penalty)
        loss.backward()
        if world.is_main:
            torch.save({n: p.grad for n, p in step.model.named_parameters()}, sys.argv[1])


def test_the_gradients_of_two_processes_are_those_of_one_on_the_joined_batch(tmp_path):
    """Batch norms in evaluation mode, so that clips do not see each other; each rank's own noise, put together."""
    code = "import test_distributed; test_distributed.gradients_of_a_rank()"
    (tmp_path / "rank.py").write_text(code)
    done = execute(torchrun(2, tmp_path / "rank.py", tmp_path / "two.pt"))
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / "two.pt")

    step = step_of(torch.device("cpu"))
    model, t = step.model.eval(), step.config
    x = torch.cat([clips_of_rank(rank, 2) for rank in (0, 1)])

    class Joined(torch.Generator):  # hands out both ranks' noise, one after the other along the batch
        pass

    generators = [torch.Generator().manual_seed(seed_of(t.seed, 0, rank, "noise")) for rank in (0, 1)]
    randn = torch.randn

    def joined_randn(shape, generator=None, **kwargs):
        assert isinstance(generator, Joined)
        return torch.cat([randn((shape[0] // 2, *shape[1:]), generator=g, **kwargs) for g in generators])

    torch.randn = joined_randn
    try:
        loss, _ = elbo(model(x, Joined()), x, t.beta_y, t.beta_z, t.obs_std, t.residual_penalty)
    finally:
        torch.randn = randn
    loss.backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(two[name], p.grad, rtol=1e-4, atol=1e-5 * p.grad.abs().max().item(), msg=name)


def test_a_run_of_two_writes_one_log_and_goes_on_alone(tmp_path):
    out = tmp_path / "two"
    done = execute(train_command(2, out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Device     2 processes") == 1 and done.stdout.count("Done: 40 steps") == 1
    assert list(lines_of(out, "loss")) == [*range(3, 40, 3), 40]
    assert list(lines_of(out, "val_psnr")) == [9, 18, 27, 36, 40]

    # Stopped half-way, then resumed by one process: another share of the batch each, the same settings, to the end.
    out = tmp_path / "half"
    stopped = execute(train_with_signal(2, "SIGTERM", 14, "parent", out))
    assert "Stopped at step 15 as asked" in stopped.stdout, stopped.stdout + stopped.stderr
    alone = execute([sys.executable, "-m", "srvp_lite", *train_arguments(out, "--resume")])
    assert alone.returncode == 0, alone.stderr
    assert "resumed at step 15" in alone.stdout and "Done: 40 steps" in alone.stdout
    a, b = weights(tmp_path / "two"), weights(out)
    assert a.keys() == b.keys() and all(torch.isfinite(t).all() for t in b.values())


def test_a_killed_worker_is_started_again_and_the_run_completed(tmp_path):
    """torchrun restarts both; they go on from the last checkpoint, as a run never killed would have gone on."""
    out = tmp_path / "killed"
    killed = execute(train_with_signal(2, "SIGKILL", 9, "self", out, options=("--max-restarts", "2")))
    assert killed.returncode == 0, killed.stderr
    assert "resumed at step 7" in killed.stdout and "Done: 40 steps" in killed.stdout
    whole = tmp_path / "whole"
    assert execute(train_command(2, whole)).returncode == 0
    for name, expected in weights(whole).items():
        torch.testing.assert_close(weights(out)[name], expected, rtol=0, atol=0, msg=name)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    done = execute(train_command(2, tmp_path / "odd", "--batch-size", "3"))
    assert done.returncode != 0
    assert "batch_size=3 cannot be shared evenly by 2 processes" in done.stdout + done.stderr


def test_alone_nothing_is_shared():
    world, x = World(), torch.arange(3.0)
    assert world.is_main and world.mean(x) is x and world.from_main("here") == "here"
    assert world.any(True, x.device) and not world.any(False, x.device)
    assert world.share(7, "batch_size") == 7
    with pytest.raises(ValueError, match="n=7 cannot be shared evenly by 2 processes; choose a multiple"):
        World(0, 2).share(7, "n")
