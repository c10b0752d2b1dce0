from __future__ import annotations

import pytest
import torch
from torch import nn

from memscan.detectors.dif.unet import UNet


@pytest.mark.parametrize(("channels", "depth", "base"), [(16, 4, 8), (4, 2, 4), (3, 1, 2)])
def test_noise_becomes_an_image_of_its_size(channels: int, depth: int, base: int) -> None:
    drawn = UNet(channels, depth, base)(torch.rand(1, channels, 48, 32))
    assert drawn.shape == (1, 3, 48, 32)
    assert drawn.abs().max() < 1


def test_the_published_one_has_its_widths() -> None:
    """Encoder 16, 32, 64, 128, 256; the last level of the decoder takes 64 to 32."""
    with torch.device("meta"):
        network = UNet()
    down = [block[0] for block in network.down if isinstance(block, nn.Sequential)]
    assert [(one.in_channels, one.out_channels) for one in down if isinstance(one, nn.Conv2d)] == [
        (16, 32),
        (32, 64),
        (64, 128),
        (128, 256),
    ]
    last = network.up[0]
    assert isinstance(last, nn.Sequential)
    assert isinstance(last[0], nn.Conv2d)
    assert (last[0].in_channels, last[0].out_channels) == (64, 32)


def test_every_level_is_heard_through_its_own_skip() -> None:
    network = UNet(4, 3, 4)
    network(torch.rand(1, 4, 16, 16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        if name.endswith("weight"):
            assert parameter.grad.abs().max() > 0, name
