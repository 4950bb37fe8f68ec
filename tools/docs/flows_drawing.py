"""The drawing of the four sub-networks and the flows between them, as ``models/subnets.py`` computes them."""

from drawing import Drawing, Palette

BY = "\N{MULTIPLICATION SIGN}"
STEPS = 4
FIRST, PITCH = 190, 130
"""Centre of the first regression convolution, and from one step to the next."""
CONV = (54, 38)
TAP = 42
"""From the centre of a regression convolution to where its result flows off."""
SHIFT = 50
"""From there to the centre of the convolution that it flows into."""
LANES = {"cls": 74, "reg": 190, "stuff": 306, "mask": 412}
NAMES = {"cls": "classification", "reg": "box regression", "stuff": "stuff", "mask": "mask"}
HEADS = {
    "cls": ("class scores", f"9 anchors {BY} things"),
    "reg": ("boxes", f"9 anchors {BY} 4"),
    "stuff": ("stuff map", "stuff + 1 classes"),
    "mask": ("masks", f"28 {BY} 28 a box"),
}
BUS = 84
"""Where the pyramid's feature branches off to the four."""
STUFF_TAP, MASK_REG, MASK_CONV, HEAD = 716, 762, 816, 940


def draw_flows(palette: Palette) -> str:
    """The SVG."""
    drawing = Drawing(1024, 520, "The four sub-networks of SpatialFlow and the flows between them")
    _inputs(drawing, palette)
    _regression(drawing, palette)
    for name, up in (("cls", True), ("stuff", False)):
        _fed_by_regression(drawing, palette, name, up)
    _mask(drawing, palette)
    for name in LANES:
        _head(drawing, palette, name)
    _legend(drawing, palette)
    return drawing.svg()


def _line(palette: Palette, name: str) -> str:
    colors: tuple[str, str] = getattr(palette, name)
    return colors[0]


def _conv(drawing: Drawing, palette: Palette, name: str, x: float, letter: str, step: str) -> None:
    drawing.box(x, LANES[name], *CONV, getattr(palette, name))
    drawing.text(x, LANES[name], letter, palette.text, 17, weight=600, sub=step)


def _flow(drawing: Drawing, color: str, palette: Palette, x: float, start: float, end: float) -> None:
    """A flow straight up or down, with its convolution in the middle."""
    drawing.path([(x, start), (x, end)], color, 3)
    middle = (start + end) / 2
    drawing.raw(f'<rect x="{x - 13:g}" y="{middle - 11:g}" width="26" height="22" rx="11" fill="{color}"/>')
    drawing.text(x, middle, "F", palette.ground, 14, weight=700)


def _inputs(drawing: Drawing, palette: Palette) -> None:
    line = palette.plain[0]
    drawing.path([(BUS, LANES["cls"]), (BUS, LANES["mask"])], line, arrow=False)
    drawing.path([(52, LANES["reg"]), (BUS, LANES["reg"])], line, arrow=False)
    drawing.box(34, LANES["reg"], 40, 40, palette.plain)
    drawing.text(34, LANES["reg"] - 1, "x", palette.text, 19, weight=600)
    drawing.text(34, LANES["reg"] + 36, "pyramid", palette.muted, 13)
    drawing.text(34, LANES["reg"] + 52, "level", palette.muted, 13)
    ends = {
        "cls": FIRST + TAP - 10,
        "reg": FIRST - CONV[0] / 2,
        "stuff": FIRST + TAP - 10,
        "mask": STUFF_TAP - 10,
    }
    for name, end in ends.items():
        drawing.path([(BUS, LANES[name]), (end, LANES[name])], line)
        drawing.raw(f'<circle cx="{BUS}" cy="{LANES[name]}" r="2.6" fill="{line}"/>')
        height = LANES[name] - (36 if name == "reg" else 18)
        drawing.text(96, height, NAMES[name], _line(palette, name), 15, "start", 600)


def _regression(drawing: Drawing, palette: Palette) -> None:
    y, line, half = LANES["reg"], _line(palette, "reg"), CONV[0] / 2
    for step in range(STEPS):
        x = FIRST + step * PITCH
        end = FIRST + (step + 1) * PITCH - half if step + 1 < STEPS else HEAD - 70
        drawing.path([(x + half, y), (end, y)], line)
        _conv(drawing, palette, "reg", x, "R", str(step + 1))


def _fed_by_regression(drawing: Drawing, palette: Palette, name: str, up: bool) -> None:
    """The lane of a sub-network that takes a flow from box regression before each convolution."""
    y, line, half = LANES[name], _line(palette, name), CONV[0] / 2
    letter, sign = ("C", 1) if name == "cls" else ("S", -1)
    for step in range(STEPS):
        tap = FIRST + step * PITCH + TAP
        conv = tap + SHIFT
        _flow(drawing, _line(palette, "reg"), palette, tap, LANES["reg"], y + sign * 10)
        drawing.raw(f'<circle cx="{tap}" cy="{LANES["reg"]}" r="4" fill="{_line(palette, "reg")}"/>')
        drawing.path([(tap + 10, y), (conv - half, y)], line)
        end = conv + PITCH - SHIFT - 10 if step + 1 < STEPS else HEAD - 70
        drawing.path([(conv + half, y), (end, y)], line)
        drawing.plus(tap, y, palette)
        _conv(drawing, palette, name, conv, letter, str(step + 1))
    middle = (LANES["reg"] + y) / 2
    drawing.text(tap + 20, middle, f"reg_to_{name}", _line(palette, "reg"), 13, "start", mono=True)


def _mask(drawing: Drawing, palette: Palette) -> None:
    y, half = LANES["mask"], CONV[0] / 2
    reg, stuff, mask = (_line(palette, name) for name in ("reg", "stuff", "mask"))
    _flow(drawing, stuff, palette, STUFF_TAP, LANES["stuff"], y - 10)
    drawing.raw(f'<circle cx="{STUFF_TAP}" cy="{LANES["stuff"]}" r="4" fill="{stuff}"/>')
    # from box regression past the stuff lane, which passes under it
    crossing = LANES["stuff"]
    drawing.over(MASK_REG, crossing, palette)
    drawing.path([(MASK_REG, LANES["reg"]), (MASK_REG, crossing + 12)], reg, 3, arrow=False)
    drawing.raw(f'<circle cx="{MASK_REG}" cy="{LANES["reg"]}" r="4" fill="{reg}"/>')
    _flow(drawing, reg, palette, MASK_REG, crossing + 10, y - 10)
    drawing.path([(STUFF_TAP + 10, y), (MASK_REG - 10, y)], mask)
    drawing.path([(MASK_REG + 10, y), (MASK_CONV - half, y)], mask)
    drawing.path([(MASK_CONV + half, y), (HEAD - 70, y)], mask)
    drawing.plus(STUFF_TAP, y, palette)
    drawing.plus(MASK_REG, y, palette)
    _conv(drawing, palette, "mask", MASK_CONV, "M", "")
    middle = (crossing + y) / 2
    drawing.text(STUFF_TAP - 20, middle, "stuff_to_mask", stuff, 13, "end", mono=True)
    drawing.text(MASK_REG + 20, middle, "reg_to_mask", reg, 13, "start", mono=True)


def _head(drawing: Drawing, palette: Palette, name: str) -> None:
    what, size = HEADS[name]
    drawing.box(HEAD, LANES[name], 140, 52, getattr(palette, name))
    drawing.text(HEAD, LANES[name] - 10, what, palette.text, 15, weight=600)
    drawing.text(HEAD, LANES[name] + 11, size, palette.muted, 12.5)


def _legend(drawing: Drawing, palette: Palette) -> None:
    y = 486
    drawing.raw(f'<rect x="96" y="{y - 11}" width="26" height="22" rx="11" fill="{palette.muted}"/>')
    drawing.text(109, y, "F", palette.ground, 14, weight=700)
    drawing.text(130, y, f"flow: 3 {BY} 3 convolution", palette.muted, 13.5, "start")
    drawing.box(337, y, 62, 24, palette.plain, 5)
    drawing.text(337, y, "R C S M", palette.text, 12.5, weight=600)
    drawing.text(376, y, f"3 {BY} 3 convolution, ReLU", palette.muted, 13.5, "start")
    drawing.plus(572, y, palette)
    drawing.text(590, y, "sum", palette.muted, 13.5, "start")
    drawing.text(1010, y, "P3 to P5 run all four, P6 and P7 the upper two", palette.muted, 13.5, "end")
