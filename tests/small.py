"""Small models for the tests of `srvp_lite.explore`, whose frames depend on what goes in.

Freshly initialised convolutions are so weak that every frame comes out grey, and most equalities hold of grey frames.
"""

import torch

from srvp_lite.config import SRVPConfig
from srvp_lite.model.srvp import SRVP

SIZES = dict(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16, nlayers_inf=2, nlayers_res=2)


def awake(**changes) -> SRVP:
    """A model of random weights, in training mode, its convolutions ten times as strong as initialised."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SRVP(SRVPConfig(**SIZES | changes))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                module.weight *= 10
    return model.train()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)
