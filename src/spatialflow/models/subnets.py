"""The four sub-networks and the spatial flows between them (paper, section III-C).

Per step i the box-regression feature advances first and then enters the others through 3x3 convolutions
without activation, the flows F:

    reg   = R_i(reg)
    cls   = C_i(cls + F^c_i(reg))
    stuff = S_i(stuff + F^s_i(reg))

and after the last step    mask = M(x + F^sm(stuff) + F^m(reg)).

Deformable sub-networks (the paper's R101-DCN) take location from the box sub-network more literally: there a
flow from it has 27 channels, F(x + reg): offsets and modulation of a deformable convolution on x.
"""

from typing import NamedTuple

from torch import Tensor, nn

from spatialflow.config import FlowsConfig
from spatialflow.models.deformable import LOCATION_CHANNELS, split_locations
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

    def forward(self, x: Tensor, reg: Tensor, other: Tensor | None = None) -> Tensor:
        """Convolve ``x`` with what flows into it.

        Args:
            x: (B, C_in, H, W).
            reg: (B, C_reg, H, W), the regression feature.
            other: (B, C_in, H, W), what another flow brings.

        Returns:
            (B, C, H, W).
        """
        if other is not None:
            x = x + other
        if self.flow is not None:
            x = x + self.flow(reg)
        return self.layer(x)


class DeformableFlowStep(nn.Module):
    """The same with a deformable convolution that the flow steers: nothing is added to the feature."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layer = ConvLayer(channels, channels, norm=norm, deformable=True)
        self.flow = nn.Conv2d(channels, LOCATION_CHANNELS, 3, padding=1)

    def forward(self, x: Tensor, reg: Tensor, other: Tensor | None = None) -> Tensor:
        """See :meth:`FlowStep.forward`; all have C channels. ``other`` does not bear on the offsets."""
        offset, modulation = split_locations(self.flow(x + reg))
        return self.layer(x if other is None else x + other, offset, modulation)


class FlowSubnets(nn.Module):
    """Four sub-networks shared by all levels; flows reg->cls, reg->stuff, reg->mask, stuff->mask.

    With ``deformable``, ``in_channels`` must equal ``channels``: the two features are added.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 256,
        num_convs: int = 4,
        norm: Norm = "none",
        flows: FlowsConfig | None = None,
        deformable: bool = False,
    ) -> None:
        super().__init__()
        flows = flows or FlowsConfig()

        def step(source: int, has_flow: bool) -> nn.Module:
            # without a flow there is nothing to steer a deformable convolution
            if deformable and has_flow:
                return DeformableFlowStep(channels, norm)
            return FlowStep(source, channels, channels, has_flow, norm)

        sources = [in_channels] + [channels] * (num_convs - 1)
        self.reg = nn.ModuleList(ConvLayer(c, channels, norm=norm) for c in sources)
        self.cls = nn.ModuleList(step(c, flows.reg_to_cls) for c in sources)
        self.stuff = nn.ModuleList(step(c, flows.reg_to_stuff) for c in sources)
        self.mask = step(in_channels, flows.reg_to_mask)
        self.stuff_to_mask = nn.Conv2d(channels, in_channels, 3, padding=1) if flows.stuff_to_mask else None
        init_normal(self)

    def forward(self, x: Tensor) -> SubnetFeatures:
        """x: one pyramid level, (B, C, H, W); every output keeps its resolution."""
        cls = reg = stuff = x
        for i, reg_layer in enumerate(self.reg):
            reg = reg_layer(reg)
            cls = self.cls[i](cls, reg)
            stuff = self.stuff[i](stuff, reg)
        other = None if self.stuff_to_mask is None else self.stuff_to_mask(stuff)
        return SubnetFeatures(cls, reg, stuff, self.mask(x, reg, other))

    def detect(self, x: Tensor) -> DetectionFeatures:
        """The coarse levels: classification and regression only. x (B, C, H, W)."""
        cls = reg = x
        for i, reg_layer in enumerate(self.reg):
            reg = reg_layer(reg)
            cls = self.cls[i](cls, reg)
        return DetectionFeatures(cls, reg)
