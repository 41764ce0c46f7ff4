"""Networks of the reports: the published counts, and modules written by hand."""

import torch
from torch import Tensor, nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES


class Bottleneck(nn.Module):
    """A block of model2: three convolutions with bias, each with a norm, and a projection without one."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        inner = out // 4
        self.conv1, self.norm1 = nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.norm2 = nn.Conv2d(inner, inner, 3, stride, 1), nn.BatchNorm2d(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, out, 1), nn.BatchNorm2d(out)
        self.shortcut = nn.Conv2d(channels, out, 1, stride) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()
        return (self.norm3(self.conv3(y)) + self.shortcut(x)).relu()


def model2() -> nn.Module:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks, channels = [], 64
    for stage, (depth, out) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for number in range(depth):
            blocks.append(Bottleneck(channels, out, 2 if stage and not number else 1))
            channels = out
    end = [nn.BatchNorm2d(512), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 100)]
    return nn.Sequential(*stem, *blocks, *end)


def test_model2_has_the_published_number_of_parameters_with_running_statistics() -> None:
    assert cost(FAMILIES["model2"](), (3, 32, 32), 100).with_statistics == 1_557_060


def test_model2_is_the_module_written_by_hand_with_its_weights_in_the_same_order() -> None:
    torch.manual_seed(0)
    by_hand = model2().eval()
    torch.manual_seed(0)
    built = build(FAMILIES["model2"](), (3, 32, 32), 100).eval()
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(built(images), by_hand(images))


def test_a_narrow_model2_still_halves_the_map_of_each_stage() -> None:
    sizes = [n.output_shape for n in FAMILIES["model2"](width=0.001).layers((3, 64, 64), 10) if n.op == "add"]
    assert [shape[1] for shape in sizes] == [16] * 3 + [8] * 4 + [4] * 6 + [2] * 3
