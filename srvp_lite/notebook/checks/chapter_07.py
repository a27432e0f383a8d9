"""Checks of chapter 7: gradients in parts, a schedule, a mean over processes, clips that a step can make again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch

from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned

__all__ = ["accumulated_gradients", "clips_of_a_step", "mean_over_processes", "schedule"]


@exercise("Right: the gradient of the whole batch, with the memory of one part.")
def accumulated_gradients(answer: Callable) -> None:
    """`accumulate(loss_of, x, parts)`: after it, gradients are those of `loss_of(x)`, a mean over the clips of x."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(12, 3, generator=g)
    start = torch.randn(3, generator=g)
    held: list[bool] = []  # set when a part went forward before the one before it had gone backward

    def gradient(parts: int) -> tuple[torch.Tensor | None, list[int]]:
        weight, sizes = start.clone().requires_grad_(), []
        before: list[torch.Tensor] = []

        def loss_of(part: torch.Tensor) -> torch.Tensor:
            now = torch.zeros(3) if weight.grad is None else weight.grad.clone()
            if before and torch.equal(before[-1], now) and not held:
                held.append(True)
            before.append(now)
            sizes.append(len(part))
            return (part @ weight).exp().mean()

        answer(loss_of, x, parts)
        return weight.grad, sizes

    weight = start.clone().requires_grad_()
    (x @ weight).exp().mean().backward()
    expected = weight.grad
    assert expected is not None
    got, sizes = gradient(4)
    if not sizes:
        raise NotImplementedError
    if max(sizes) > 3:
        raise Diagnosis(
            f"Your loss saw {max(sizes)} clips at once. In 4 parts of 12 clips it should see 3 at a time: "
            "x.chunk(parts) cuts the batch, and each part goes backward before the next one goes forward."
        )
    if sum(sizes) != 12:
        raise Diagnosis(f"Your loss saw {sum(sizes)} clips in all; the batch has 12, each to be seen once.")
    if got is None:
        raise Diagnosis("No gradient arrived: call backward() on the loss of each part.")
    if close(got, 4 * expected):
        raise Diagnosis(
            "Your gradient is 4 times too long: backward() adds to what is there, so 4 means were added up. Divide each "
            "part's loss by the number of parts."
        )
    weight = start.clone().requires_grad_()
    (x[-3:] @ weight).exp().mean().backward()
    assert weight.grad is not None
    if close(got, weight.grad) or close(got, weight.grad / 4):
        raise Diagnosis("Only the last part's gradient is left: something clears the gradients between the parts.")
    if not close(got, expected):
        raise Diagnosis("The gradient is not that of the whole batch: its mean is the mean of the parts' means.")
    if held:
        raise Diagnosis(
            "The gradient is right, but all parts went forward before the first went backward, so all of them were in "
            "memory at once. Call backward() on each part's loss before the next part."
        )
    in_2, _ = gradient(2)
    if in_2 is None or not close(in_2, expected):
        raise Diagnosis("In 4 parts the gradient is right, in 2 it is not: divide by `parts`.")


@exercise("Right: it climbs, stays, and falls to zero at the very end, whatever the length of the run.")
def schedule(answer: Callable) -> None:
    """`learning_rate(step, total, lr, warmup, constant)`: the rate of step number `step` of `total`."""

    def rate(step: int, total: int = 100, lr: float = 2.0, warmup: int = 10, constant: float = 0.5) -> float:
        value = returned(answer(step, total, lr, warmup, constant))
        if not isinstance(value, (int, float)):
            raise Diagnosis(f"A learning rate is a number; yours is a {type(value).__name__}.")
        return float(value)

    if rate(30) == 0 or abs(rate(30) - 2.0) > 1e-6:
        raise Diagnosis(
            f"Between the warm-up and the fall the rate should be lr itself. At step 30 of 100, with lr = 2, a warm-up of "
            f"10 steps and a constant share of 0.5, yours is {rate(30):g}."
        )
    if rate(0) == 0:
        raise Diagnosis("Your first step has a rate of 0, so it teaches nothing: step number 0 gets lr / warmup.")
    if abs(rate(0) - 2.0) < 1e-6:
        raise Diagnosis("There is no warm-up: step number 0 of 10 gets a tenth of lr.")
    if abs(rate(4) - 1.0) > 1e-6 or abs(rate(0) - 0.2) > 1e-6:
        raise Diagnosis(
            f"In the warm-up, step number s gets lr (s + 1) / warmup. With lr = 2 and 10 steps of warm-up that is 0.2, 0.4, "
            f"...; yours begins with {rate(0):g}, {rate(1):g}."
        )
    if rate(99) > 1.99:
        raise Diagnosis("The rate never falls: after the constant share it goes down to zero.")
    if abs(rate(75) - 1.0) > 1e-6:
        raise Diagnosis(
            "The fall should be a straight line from lr, at the end of the constant share, to 0 at the end of the run. With "
            f"lr = 2 and a share of 0.5 it is 1 at step 75 of 100; yours is {rate(75):g}."
        )
    if abs(rate(750, total=1000) - 1.0) > 1e-6:
        raise Diagnosis(
            f"In a run ten times as long, step 750 should have the rate that step 75 had; yours is {rate(750, total=1000):g}. "
            "Use the share of the run that is over, step / total."
        )
    if abs(rate(80, constant=0.8) - 2.0) > 1e-6 or abs(rate(90, constant=0.8) - 1.0) > 1e-6:
        raise Diagnosis("With a constant share of 0.8 the fall takes the last 0.2 of the run: divide by 1 - constant.")


@exercise("Right: sums and counts travel, and every process takes part, also the one with nothing to say.")
def mean_over_processes(answer: Callable) -> None:
    """`mean_over_processes(scores, all_reduce)`: called by each process with its own scores; the mean over all."""
    shards = [torch.tensor([1.0, 2.0, 6.0]), torch.tensor([7.0]), torch.tensor([])]
    everything = torch.cat(shards)
    barrier, lock = threading.Barrier(3, timeout=3.0), threading.Lock()
    posted: list[torch.Tensor] = []
    results: list = [None] * 3
    errors: list = [None] * 3

    def all_reduce(t: Any) -> torch.Tensor:
        if not isinstance(t, torch.Tensor):
            raise Diagnosis(f"all_reduce sends tensors; yours was a {type(t).__name__}.")
        with lock:
            posted.append(t.detach().clone())
        barrier.wait()
        if len({p.shape for p in posted}) > 1:
            raise Diagnosis(
                "The processes sent tensors of different shapes, which cannot be added up. Their numbers of scores differ: "
                "send sums and counts."
            )
        total = torch.stack(posted).sum(0)
        barrier.wait()
        with lock:
            posted.clear()
        barrier.wait()
        return total

    def process(rank: int) -> None:
        try:
            results[rank] = answer(shards[rank], all_reduce)
        except BaseException as error:  # noqa: BLE001 - told below, from the thread that can
            errors[rank] = error
            barrier.abort()

    threads = [threading.Thread(target=process, args=(rank,), daemon=True) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    told = [e for e in errors if e is not None and not isinstance(e, threading.BrokenBarrierError)]
    if told:
        raise told[0]
    if any(isinstance(e, threading.BrokenBarrierError) for e in errors):
        raise Diagnosis(
            "Two processes waited for a message that the third never sent. Real ones would wait forever. Every process "
            "calls all_reduce equally often, the one without scores too."
        )
    for value in results:
        mean = float(as_tensor(returned(value), "the mean")) if not isinstance(value, float) else value
        if mean != mean:
            raise Diagnosis("The mean is nan: a process without scores divided nothing by nothing before sending.")
        if abs(mean - 5.0) < 1e-5 or abs(mean - 10.0 / 3) < 1e-5:
            raise Diagnosis(
                "This is the mean of the processes' means, in which a process with one score counts as much as one with "
                "three. Send the sum of the scores and their number; divide after."
            )
        if abs(mean - everything.sum().item()) < 1e-5:
            raise Diagnosis("This is the sum over all processes; divide it by the number of scores of all.")
        if abs(mean - everything.mean().item()) > 1e-5:
            raise Diagnosis(f"For scores [1, 2, 6], [7] and [] the mean is 4; yours is {mean:g}.")


@exercise("Right: any step's clips can be made again, by anyone, without the steps before.")
def clips_of_a_step(answer: Callable) -> None:
    """`clips_of_step(sample, seed, step, rank)`: sample(generator), with a generator that depends on all three."""

    seeds: list[int] = []

    def sample(generator: torch.Generator | None) -> torch.Tensor:
        seeds.append(0 if generator is None else generator.initial_seed())
        return torch.rand(8, generator=generator)

    true_hash = hash

    def hash_of_numbers(value: object) -> int:
        if isinstance(value, (str, bytes)) or isinstance(value, tuple) and any(isinstance(v, str) for v in value):
            raise Diagnosis(
                "Python's hash() of text is another one each time Python starts, so a resumed run would see other clips. "
                "Hash the numbers, hash((seed, step, rank)), or the text with hashlib."
            )
        return true_hash(value)

    def make(seed: int = 1, step: int = 5, rank: int = 0) -> torch.Tensor:
        with mock.patch("builtins.hash", hash_of_numbers):
            return as_tensor(answer(sample, seed, step, rank), "the result of sample(generator)")

    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = make()
    if not torch.equal(torch.get_rng_state(), state):
        raise Diagnosis(
            "You drew from PyTorch's global generator (or seeded it), which everything else uses too. Make one of your "
            "own: torch.Generator().manual_seed(...)."
        )
    make(step=6), make(step=4)
    if not torch.equal(make(), first):
        raise Diagnosis(
            "The same step made other clips the second time: the seed must depend on nothing but the three."
        )
    for name, other in [("step", make(step=6)), ("rank", make(rank=1)), ("seed", make(seed=2))]:
        if torch.equal(other, first):
            if len({s & 0xFFFFFFFF for s in seeds}) < len(set(seeds)):
                raise Diagnosis(
                    f"Your numbers differ with the {name}, but not in their lowest 32 bits, and a CPU's generator looks at "
                    "no others. Hash the three together."
                )
            consequence = {
                "step": "every step would train on the same clips",
                "rank": "all processes would train on the same clips",
                "seed": "runs with different seeds would be the same run",
            }[name]
            raise Diagnosis(f"Another {name} made the same clips, so {consequence}.")
    places = [(seed, step, rank) for seed in range(4) for step in range(20) for rank in range(4)]
    if len({tuple(make(*place).tolist()) for place in places}) < len(places):
        raise Diagnosis(
            "Different places share their clips: with sums such as seed + step, run 1 at step 2 repeats run 2 at step 1. "
            "Hash the three together, as in hash((seed, step, rank)) or with hashlib."
        )
