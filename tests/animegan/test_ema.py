import pytest
import torch
from torch import nn

from animegan.ema import averaged, update_average


def constant(value):
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, value)
    nn.init.constant_(network.bias, -value)
    return network


def test_an_average_of_constant_weights_in_closed_form():
    network = constant(1.0)
    average = averaged(constant(0.0))
    for step in range(1000, 1005):  # late enough for the full decay
        update_average(average, network, 0.9, step)
    # 1 - 0.9⁵
    torch.testing.assert_close(average.weight, torch.full((2, 2), 0.40951))
    torch.testing.assert_close(average.bias, torch.full((2,), -0.40951))


def test_the_first_steps_forget_the_beginning_sooner():
    average = averaged(constant(0.0))
    left = 1.0
    for step in range(10):
        update_average(average, constant(1.0), 0.999, step)
        left *= (1 + step) / (10 + step)
    assert average.weight[0, 0].item() == pytest.approx(1 - left)
    assert left < 1e-4 < 0.999**10


def test_buffers_are_those_of_the_network():
    network = nn.BatchNorm2d(2)
    average = averaged(network)
    network(torch.randn(4, 2, 3, 3))
    update_average(average, network, 0.999, 0)
    torch.testing.assert_close(average.running_mean, network.running_mean)


def test_an_average_is_a_copy_that_is_not_trained():
    network = constant(1.0).train()
    average = averaged(network)
    with torch.no_grad():
        network.weight.fill_(5)
    assert average.weight[0, 0].item() == 1
    assert not average.training
    assert network.training
    assert not any(p.requires_grad for p in average.parameters())
    assert all(p.requires_grad for p in network.parameters())
