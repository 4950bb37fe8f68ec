"""The drawing of the whole network: photo, backbone, pyramid, sub-networks, heads, merge, panoptic map."""

from drawing import Drawing, Palette

ROWS = {"3": 92, "4": 152, "5": 212, "6": 272, "7": 332}
"""Heights of the levels of backbone and pyramid."""
BACKBONE, PYRAMID, SUBNETS, HEADS, MERGE = 200, 330, 548, 722, 846
LANES = {"cls": 102, "reg": 172, "stuff": 252, "mask": 322}
NAMES = {"cls": "classification", "reg": "box regression", "stuff": "stuff", "mask": "mask"}
ANSWERS = {"cls": "class scores", "reg": "boxes", "stuff": "stuff map", "mask": "masks"}
WIDTHS = {"3": 84, "4": 68, "5": 54, "6": 42, "7": 32}
PHOTO, MAP = 70, 946


def draw_network(palette: Palette) -> str:
    """The SVG."""
    drawing = Drawing(1010, 420, "From a photo to a panoptic map")
    for x, words in (
        (PHOTO, "photo"),
        (BACKBONE, "backbone"),
        (PYRAMID, "pyramid"),
        (SUBNETS, "sub-networks"),
        (HEADS, "heads"),
        (MAP, "panoptic map"),
    ):
        drawing.text(x, 34, words, palette.text, 16, weight=600)
    _levels(drawing, palette)
    _to_subnets(drawing, palette)
    _subnets(drawing, palette)
    _picture(drawing, PHOTO, 152, ("#8fa7b8", "#a79a84", "#c26b5a", "#5a86c2", "#d9b65c"), palette)
    _picture(
        drawing,
        MAP,
        212,
        (palette.stuff[0], palette.plain[0], palette.reg[0], palette.cls[0], palette.mask[0]),
        palette,
    )
    drawing.box(MERGE, 212, 34, 272, palette.plain)
    drawing.raw(
        f'<text x="{MERGE}" y="212" fill="{palette.text}" font-size="16" font-weight="600" '
        f'text-anchor="middle" transform="rotate(-90 {MERGE} 212) translate(0 6)">merge</text>'
    )
    drawing.path([(MERGE + 17, 212), (MAP - 54, 212)], palette.plain[0])
    drawing.text(BACKBONE, 390, "any of timm's", palette.muted, 13)
    drawing.text(PYRAMID, 390, "256 channels each", palette.muted, 13)
    drawing.text(SUBNETS, 390, "the same weights on every level", palette.muted, 13)
    drawing.text(HEADS + 12, 390, "boxes say where", palette.muted, 13)
    drawing.text(HEADS + 12, 406, "masks are drawn", palette.muted, 13)
    return drawing.svg()


def _levels(drawing: Drawing, palette: Palette) -> None:
    line = palette.plain[0]
    drawing.path([(PHOTO + 46, 152), (134, 152), (134, ROWS["3"]), (BACKBONE - 42, ROWS["3"])], line)
    for name in "345":
        y = ROWS[name]
        drawing.path([(BACKBONE + WIDTHS[name] / 2, y), (PYRAMID - WIDTHS[name] / 2, y)], line)
    for upper, lower in (("3", "4"), ("4", "5")):
        drawing.path([(BACKBONE, ROWS[upper] + 20), (BACKBONE, ROWS[lower] - 20)], line)
        drawing.path([(PYRAMID, ROWS[lower] - 20), (PYRAMID, ROWS[upper] + 20)], line)
    drawing.path(
        [(BACKBONE, ROWS["5"] + 20), (BACKBONE, ROWS["6"]), (PYRAMID - WIDTHS["6"] / 2, ROWS["6"])], line
    )
    drawing.path([(PYRAMID, ROWS["6"] + 20), (PYRAMID, ROWS["7"] - 20)], line)
    for name, y in ROWS.items():
        if name in "345":
            drawing.box(BACKBONE, y, WIDTHS[name], 40, palette.plain)
            drawing.text(BACKBONE, y, f"C{name}", palette.text, 15, weight=600)
        drawing.box(PYRAMID, y, WIDTHS[name], 40, palette.plain)
        drawing.text(PYRAMID, y, f"P{name}", palette.text, 14, weight=600)


def _to_subnets(drawing: Drawing, palette: Palette) -> None:
    """All levels go to the upper two, the three finest to the lower two as well."""
    line = palette.plain[0]
    inner, outer = 392, 424
    top, bottom = ROWS["3"] - 22, ROWS["7"] + 22
    # the longer bracket is open where the lines of the shorter one pass
    drawing.raw(
        f'<path d="M{inner - 8} {top}H{inner}V{ROWS["5"] + 22}H{inner - 8}'
        f'M{outer - 8} {top}H{outer}V183M{outer} 213V{bottom}H{outer - 8}" '
        f'fill="none" stroke="{line}" stroke-width="1.8"/>'
    )
    left = SUBNETS - 76
    for name in ("cls", "reg"):
        drawing.path([(outer, LANES[name]), (left, LANES[name])], line)
    for name, start in (("stuff", 190), ("mask", 206)):
        turn = 454 if name == "stuff" else 440
        drawing.path([(inner, start), (turn, start), (turn, LANES[name]), (left, LANES[name])], line)


def _subnets(drawing: Drawing, palette: Palette) -> None:
    for name, y in LANES.items():
        colors: tuple[str, str] = getattr(palette, name)
        drawing.path([(SUBNETS + 76, y), (HEADS - 62, y)], colors[0])
        drawing.path([(HEADS + 62, y), (MERGE - 17, y)], colors[0])
        drawing.box(SUBNETS, y, 152, 44, colors)
        drawing.text(SUBNETS, y, NAMES[name], palette.text, 15, weight=600)
        drawing.box(HEADS, y, 124, 44, colors)
        drawing.text(HEADS, y, ANSWERS[name], palette.text, 15)
    reg, stuff = palette.reg[0], palette.stuff[0]
    x = SUBNETS - 52
    drawing.path([(x, LANES["reg"] - 22), (x, LANES["cls"] + 22)], reg, 3)
    drawing.path([(x, LANES["reg"] + 22), (x, LANES["stuff"] - 22)], reg, 3)
    drawing.path([(SUBNETS + 30, LANES["stuff"] + 22), (SUBNETS + 30, LANES["mask"] - 22)], stuff, 3)
    # past the stuff sub-network to the mask one
    side = SUBNETS + 94
    drawing.over(side, LANES["stuff"], palette)
    drawing.path(
        [
            (SUBNETS + 60, LANES["reg"] + 22),
            (SUBNETS + 60, 212),
            (side, 212),
            (side, 287),
            (SUBNETS + 60, 287),
            (SUBNETS + 60, LANES["mask"] - 22),
        ],
        reg,
        3,
    )
    drawing.text(SUBNETS - 6, 208, "flows", reg, 14, weight=600)
    drawing.over(HEADS + 76, LANES["stuff"], palette)
    drawing.path(
        [
            (HEADS + 40, LANES["reg"] + 22),
            (HEADS + 40, 212),
            (HEADS + 76, 212),
            (HEADS + 76, 287),
            (HEADS + 40, 287),
            (HEADS + 40, LANES["mask"] - 22),
        ],
        palette.muted,
        1.8,
        dashes="4 4",
    )


def _picture(drawing: Drawing, x: float, y: float, colors: tuple[str, ...], palette: Palette) -> None:
    """A scene in small: two grounds, a square, a disc, a triangle."""
    sky, ground, square, disc, triangle = colors
    left, top = x - 46, y - 37
    drawing.raw(
        f'<g><rect x="{left}" y="{top}" width="92" height="74" rx="6" fill="{sky}"/>'
        f'<path d="M{left} {top + 40}q24 -14 48 -4t44 -6v38a6 6 0 0 1 -6 6h-80a6 6 0 0 1 -6 -6z" '
        f'fill="{ground}"/>'
        f'<rect x="{left + 12}" y="{top + 30}" width="22" height="22" fill="{square}" '
        f'transform="rotate(12 {left + 23} {top + 41})"/>'
        f'<circle cx="{left + 66}" cy="{top + 24}" r="12" fill="{disc}"/>'
        f'<path d="M{left + 46} {top + 62}l13 -24 13 24z" fill="{triangle}"/>'
        f'<rect x="{left}" y="{top}" width="92" height="74" rx="6" fill="none" stroke="{palette.plain[0]}" '
        f'stroke-width="1.5"/></g>'
    )
