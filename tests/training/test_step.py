"""One training step: its switches change its cost, never what it computes, or only by what they say."""

import copy
import shutil

import jaxtyping
import pytest
import torch
from small import generator, small_experiment

from srvp_lite.config import Experiment
from srvp_lite.model.elbo import elbo
from srvp_lite.training.step import Step
from srvp_lite.utils.device import runs_in_bf16
from srvp_lite.utils.files import CheckpointError

CPU = torch.device("cpu")
LEARNING_RATE = 1e-3


def tiny(**changes) -> Experiment:
    return small_experiment(batch_size=8, **{"precision": "float32", **changes})


def clips(seed=0, n=8):
    return torch.rand(n, 7, 1, 32, 32, generator=generator(seed))


def trained(n_steps=3, **changes) -> tuple[Step, dict]:
    step = Step(tiny(**changes), CPU)
    for number in range(n_steps):
        terms = step(clips(number), number, LEARNING_RATE)
    return step, terms


def parameters(step):
    return torch.cat([p.detach().flatten() for p in step.model.parameters()])


def test_a_step_is_the_plain_one():
    """Against the loop that anyone would write: Adam without a fused kernel, the noise of the same generator."""
    step, terms = trained(1)
    plain = Step(tiny(), CPU)
    model, t = plain.model, plain.config
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=False, foreach=False)
    step_again = Step(tiny(), CPU)
    step_again(clips(), 0, LEARNING_RATE)
    noise = generator(step_again.generator.initial_seed())
    loss, _ = elbo(model(clips(), noise), clips(), t.beta_y, t.beta_z, t.obs_std, t.residual_penalty)
    loss.backward()
    optimizer.step()
    torch.testing.assert_close(terms["loss"], loss.detach())
    torch.testing.assert_close(parameters(step), parameters(plain), rtol=1e-4, atol=1e-6)
    assert torch.equal(parameters(step), parameters(step_again)), "a step can be repeated"


def test_accumulated_parts_give_the_gradient_of_the_whole(monkeypatch):
    """With batch norms in evaluation mode, where a clip does not see its batch, and the same noise for each clip."""
    monkeypatch.setattr(torch, "randn", lambda shape, **kw: torch.full(tuple(shape), 0.3))
    whole, parts = (Step(tiny(accumulate=n), CPU) for n in (1, 4))
    for step in (whole, parts):
        step.model.eval()
        step.optimizer.zero_grad = lambda **kw: None  # leave the gradients to be looked at
        terms = step.update(clips())
        assert terms["loss"].ndim == 0
    for a, b in zip(whole.model.parameters(), parts.model.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4 * a.grad.abs().max().item())


def test_long_gradients_are_shortened_and_their_length_reported():
    step = Step(tiny(clip_grad_norm=0.5), CPU)
    step.optimizer.zero_grad = lambda **kw: None
    terms = step(clips(), 0, LEARNING_RATE)
    norm = torch.stack([p.grad.norm() for p in step.model.parameters()]).norm()
    assert terms["grad_norm"] > 0.5 and norm <= 0.5 * 1.001


def test_the_average_follows_the_weights():
    """Against the recursion written out, young averages forgetting faster; batch norms' statistics likewise."""
    step = Step(tiny(ema_decay=0.6), CPU)
    expected, mean = parameters(step).clone(), step.model.encoder.to_vector[1].running_mean.clone()
    for number in range(8):
        step(clips(number), number, LEARNING_RATE)
        decay = min(0.6, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * parameters(step)
        mean = decay * mean + (1 - decay) * step.model.encoder.to_vector[1].running_mean
    average = torch.cat([p.flatten() for p in step.average.parameters()])
    torch.testing.assert_close(average, expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(average, parameters(step))
    torch.testing.assert_close(step.average.encoder.to_vector[1].running_mean, mean)
    assert step.average.encoder.to_vector[1].num_batches_tracked == 8
    assert not any(p.requires_grad for p in step.average.parameters())


def test_half_precision_changes_little_and_leaves_the_loss_in_float32():
    full, a = trained(1)  # one step only: processors without bf16 arithmetic are slow at it
    half = Step(tiny(precision="bf16"), CPU)
    b = half(clips(), 0, LEARNING_RATE)
    assert half.bf16 and not full.bf16
    assert b["loss"].dtype == torch.float32
    torch.testing.assert_close(a["loss"], b["loss"], rtol=2e-2, atol=0)
    assert a["loss"] != b["loss"], "it did compute in another precision"
    assert all(p.dtype == torch.float32 for p in half.model.parameters()), "weights stay whole"


def test_auto_precision_is_whole_on_a_cpu():
    assert not runs_in_bf16("auto", CPU) and runs_in_bf16("bf16", CPU) and not runs_in_bf16("float32", CPU)


@pytest.fixture
def unchecked():
    """The compiler does not see through the check of signatures."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a compiler")
def test_compiled_steps_are_the_plain_ones(unchecked):
    (plain, a), (compiled, b) = trained(2), trained(2, compile=True)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(parameters(plain), parameters(compiled), rtol=1e-3, atol=1e-5)
    assert plain.model.state_dict().keys() == compiled.model.state_dict().keys(), "checkpoints do not tell"


def test_a_graph_needs_one_gpu():
    with pytest.raises(ValueError, match="cuda_graph records the step of one CUDA GPU"):
        Step(tiny(cuda_graph=True), CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_recorded_steps_are_the_plain_ones(precision):
    """More steps than the warm-up, with learning rates and noise that change from step to step."""
    ends = []
    for graph in (False, True):
        step = Step(tiny(cuda_graph=graph, precision=precision), torch.device("cuda"))
        losses = [step(clips(n).cuda(), n, LEARNING_RATE / (1 + n))["loss"].item() for n in range(8)]
        ends.append((torch.tensor(losses), parameters(step).cpu()))
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-3, atol=1e-4)


def test_a_copy_of_the_average_is_a_model_of_its_own():
    step = Step(tiny(ema_decay=0.9), CPU)
    before = copy.deepcopy(step.average.state_dict())
    with torch.no_grad():
        for p in step.model.parameters():
            p.add_(1.0)
    assert all(torch.equal(before[k], v) for k, v in step.average.state_dict().items())


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_step_goes_on_from_its_state(ema_decay, tmp_path):
    """Another step that takes over the state, after it went through a file, trains to the same bits."""
    step, _ = trained(2, ema_decay=ema_decay)
    path = tmp_path / "state.pt"
    torch.save(step.state_dict(), path)
    other = Step(tiny(ema_decay=ema_decay, seed=5), CPU)
    other.config = step.config  # but for the seed, the same
    assert not torch.equal(parameters(other), parameters(step))
    other.load_state_dict(torch.load(path), path)
    for one in (step, other):
        one(clips(2), 2, LEARNING_RATE)
    assert torch.equal(parameters(other), parameters(step))
    for a, b in zip(step.average.state_dict().values(), other.average.state_dict().values()):
        assert torch.equal(a, b)


def test_the_state_of_another_model_is_refused(tmp_path):
    state = Step(tiny(), CPU).state_dict()
    del state["model"]["encoder.to_vector.0.weight"]
    with pytest.raises(CheckpointError, match="there.pt holds the weights of another model.*1 missing"):
        Step(tiny(), CPU).load_state_dict(state, tmp_path / "there.pt")
