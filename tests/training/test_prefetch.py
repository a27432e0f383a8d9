"""Batches made ahead: each once, in order, and the same as made one by one."""

import itertools

import pytest
import torch

from srvp_lite.training.prefetch import prefetched


def test_on_a_cpu_each_is_made_when_asked_for():
    made = []

    def make(step):
        made.append(step)
        return torch.tensor(step)

    batches = prefetched(make, 7, torch.device("cpu"))
    assert made == []
    assert [int(next(batches)) for _ in range(3)] == [7, 8, 9] and made == [7, 8, 9]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_the_next_is_made_meanwhile_and_nothing_is_overwritten():
    """Long work on each batch, while later ones are made in memory that earlier ones might have left."""
    device = torch.device("cuda")

    def make(step):
        return torch.randn(256, 256, generator=torch.Generator(device).manual_seed(step), device=device)

    results = []
    for x in itertools.islice(prefetched(make, 0, device), 20):
        y = x
        for _ in range(50):
            y = torch.tanh(y @ x / 16)
        results.append(y)
    for step, y in enumerate(results):
        x = z = make(step)
        for _ in range(50):
            z = torch.tanh(z @ x / 16)
        torch.testing.assert_close(y, z)
