"""Lines, walks and main directions: exact ends, coordinates that do nothing, and a second library's PCA."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from small import awake, generator

from srvp_lite import explore
from srvp_lite.explore.latents import centre
from srvp_lite.explore.swap import decode


@pytest.fixture(scope="module", params=[dict(), dict(skip=True)], ids=["plain", "skips"])
def model(request):
    return awake(**request.param)


@pytest.fixture(scope="module")
def clips():
    a, b = torch.rand(2, 3, 5, 1, 16, 16, generator=generator(1))
    return a, b


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_a_line_has_its_ends_and_equal_steps(n, seed):
    a, b = torch.randn(2, 4, 3, generator=generator(seed))
    line = explore.interpolate(a, b, n)
    assert torch.equal(line[0], a) and torch.equal(line[-1], b)
    torch.testing.assert_close(line.diff(dim=0), ((b - a) / (n - 1)).expand(n - 1, -1, -1), atol=1e-5, rtol=1e-4)


def test_content_goes_from_the_reconstruction_to_the_swap(model, clips):
    a, b = clips
    frames = explore.interpolate_content(model, a, b, 4, generator())
    torch.testing.assert_close(frames[0], model.reconstruct(a, generator()), atol=1e-5, rtol=0)
    torch.testing.assert_close(frames[-1], explore.swap_content(model, b, a, generator=generator()), atol=1e-5, rtol=0)
    assert (frames[0] - frames[-1]).abs().max() > 1e-3


def test_motion_goes_from_one_reconstruction_to_the_other_on_one_content(model, clips):
    a, b = clips
    frames = explore.interpolate_motion(model, a, b, 3, generator())
    y_a, y_b = explore.motion_of(model, torch.cat([a, b]), generator=generator()).chunk(2)
    w, skips = explore.content_of(model, a)
    for got, y in zip(frames, (y_a, (y_a + y_b) / 2, y_b)):
        torch.testing.assert_close(got, decode(model, w, y, skips), atol=1e-5, rtol=0)


def test_a_walk_passes_through_the_state_itself(model, clips):
    a, _ = clips
    y = explore.motion_of(model, a, generator=generator())
    mean, std = y[..., 1].mean(), y[..., 1].std(correction=0)
    here = ((y[0, 2, 1] - mean) / std).item()
    frames = explore.walk(model, a, 1, [here, here + 1], t=2, generator=generator())
    w, skips = explore.content_of(model, a)
    torch.testing.assert_close(frames[0, 0], decode(model, w, y, skips)[0, 2], atol=1e-5, rtol=0)
    assert (frames[0, 0] - frames[1, 0]).abs().max() > 1e-4
    at_zero = explore.walk(model, a, 1, [0.0], t=2, generator=generator())
    moved = y[:, 2:3].clone()
    moved[..., 1] = mean
    torch.testing.assert_close(at_zero[0], decode(model, w, moved, skips)[:, 0], atol=1e-5, rtol=0)
    scaled = explore.walk(model, a, 1, [0.0], t=2, reference=y * 0 + 7, generator=generator())
    moved[..., 1] = 7
    torch.testing.assert_close(scaled[0], decode(model, w, moved, skips)[:, 0], atol=1e-5, rtol=0)


def test_a_coordinate_that_the_decoder_ignores_does_nothing(clips):
    model = awake()
    with torch.no_grad():
        model.decoder.from_vector[0].weight[model.config.nh_inf + 1] = 0  # y comes after w
    found = explore.effects(model, clips[0], generator=generator())
    assert set(found) == {"std", "rms", "rows", "columns", "distance"}
    for name in ("rms", "rows", "columns", "distance"):
        assert found[name][1].abs() < 1e-6
    assert found["rms"][0] > 1e-5 and found["rms"][2] > 1e-5
    y = explore.motion_of(model, clips[0], generator=generator())
    torch.testing.assert_close(found["std"], y.flatten(0, 1).std(0, correction=0))


def test_the_centre_moves_with_the_frame():
    frame = torch.rand(1, 8, 8, generator=generator())
    frames = torch.stack([torch.nn.functional.pad(frame, (c, 4 - c, r, 4 - r)) for r, c in ((0, 0), (3, 1), (4, 4))])
    found = centre(frames)
    torch.testing.assert_close(found - found[0], torch.tensor([[0.0, 0.0], [3.0, 1.0], [4.0, 4.0]]))
    assert centre(torch.zeros(1, 4, 4)).isnan().all()


@pytest.mark.parametrize("n", [1, 3, 5])
def test_main_directions_are_sklearns(n):
    v = torch.randn(4, 30, 5, generator=generator()) @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1])) + 1
    components, projections, shares = explore.pca(v, n)
    theirs = PCA(n).fit(v.flatten(0, 1).double().numpy())
    signs = np.sign((components.numpy() * theirs.components_).sum(1, keepdims=True))
    np.testing.assert_allclose(components.numpy(), signs * theirs.components_, atol=1e-10)
    np.testing.assert_allclose(shares.numpy(), theirs.explained_variance_ratio_, atol=1e-12)
    expected = theirs.transform(v.flatten(0, 1).double().numpy()) * signs[:, 0]
    np.testing.assert_allclose(projections.flatten(0, 1).numpy(), expected, atol=1e-10)


@pytest.mark.bad_input
def test_wrong_ends_and_indices_are_named(model, clips):
    a, b = clips
    for call, words in [
        (lambda: explore.interpolate(a, b[:2], 3), "two ends of one shape"),
        (lambda: explore.interpolate(a, b, 1), "must be at least 2, got 1"),
        (lambda: explore.interpolate_content(model, a, b[:2], 3), "as many of both: 3, 2"),
        (lambda: explore.interpolate_motion(model, a, b[:, :4], 3), "5 and 4 frames"),
        (lambda: explore.walk(model, a, 3, [0.0]), "dimension must be from 0 to 2 here, got 3"),
        (lambda: explore.walk(model, a, 0, [0.0], t=5), "t must be from -5 to 4 here, got 5"),
        (lambda: explore.pca(torch.randn(4, 3), 4), "n=4 components cannot be found"),
        (lambda: centre(torch.zeros(4, 4)), "expected frames"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
