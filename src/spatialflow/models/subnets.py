"""The four sub-networks and the spatial flows between them (paper, section III-C).

Per step i the box-regression feature advances first and then enters the others through 3x3 convolutions
without activation, the flows F:

    reg   = R_i(reg)
    cls   = C_i(cls + F^c_i(reg))
    stuff = S_i(stuff + F^s_i(reg))

and after the last step    mask = M(x + F^m(reg) + F^sm(stuff)).
"""

from typing import NamedTuple

from torch import Tensor, nn

from spatialflow.config import FlowsConfig
from spatialflow.models.layers import ConvLayer, Norm, init_normal


class DetectionFeatures(NamedTuple):
    """Last features of two sub-networks on one level, each (B, C, H_l, W_l)."""

    cls: Tensor
    reg: Tensor


class SubnetFeatures(NamedTuple):
    """Last features of all four sub-networks on one level, each (B, C, H_l, W_l)."""

    cls: Tensor
    reg: Tensor
    stuff: Tensor
    mask: Tensor


class FlowStep(nn.Module):
    """One convolution of a sub-network and the flow from the regression feature into it."""

    def __init__(
        self, in_channels: int, reg_channels: int, channels: int, has_flow: bool, norm: Norm
    ) -> None:
        super().__init__()
        self.layer = ConvLayer(in_channels, channels, norm=norm)
        self.flow = nn.Conv2d(reg_channels, in_channels, 3, padding=1) if has_flow else None

    def forward(self, x: Tensor, reg: Tensor) -> Tensor:
        """Features ``x`` (B, C_in, H, W) and ``reg`` (B, C_reg, H, W) -> (B, C, H, W)."""
        if self.flow is not None:
            x = x + self.flow(reg)
        return self.layer(x)


class FlowSubnets(nn.Module):
    """Four sub-networks shared by all levels; flows reg->cls, reg->stuff, reg->mask, stuff->mask."""

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 256,
        num_convs: int = 4,
        norm: Norm = "none",
        flows: FlowsConfig | None = None,
    ) -> None:
        super().__init__()
        flows = flows or FlowsConfig()
        sources = [in_channels] + [channels] * (num_convs - 1)
        self.reg = nn.ModuleList(ConvLayer(c, channels, norm=norm) for c in sources)
        self.cls = nn.ModuleList(FlowStep(c, channels, channels, flows.reg_to_cls, norm) for c in sources)
        self.stuff = nn.ModuleList(FlowStep(c, channels, channels, flows.reg_to_stuff, norm) for c in sources)
        self.mask = FlowStep(in_channels, channels, channels, flows.reg_to_mask, norm)
        self.stuff_to_mask = nn.Conv2d(channels, in_channels, 3, padding=1) if flows.stuff_to_mask else None
        init_normal(self)

    def forward(self, x: Tensor) -> SubnetFeatures:
        """x: one pyramid level, (B, C, H, W); every output keeps its resolution."""
        cls = reg = stuff = x
        for i, reg_layer in enumerate(self.reg):
            reg = reg_layer(reg)
            cls = self.cls[i](cls, reg)
            stuff = self.stuff[i](stuff, reg)
        if self.stuff_to_mask is not None:
            x = x + self.stuff_to_mask(stuff)
        return SubnetFeatures(cls, reg, stuff, self.mask(x, reg))

    def detect(self, x: Tensor) -> DetectionFeatures:
        """The coarse levels: classification and regression only. x (B, C, H, W)."""
        cls = reg = x
        for i, reg_layer in enumerate(self.reg):
            reg = reg_layer(reg)
            cls = self.cls[i](cls, reg)
        return DetectionFeatures(cls, reg)
