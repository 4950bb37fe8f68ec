"""Label Studio's run lengths of a brush: those of the RGBA pixels of a mask, packed in bits.

Format (rle-pack of github.com/thi-ng/umbrella, packages/rle-pack, which Label Studio uses), bits from the
highest of each byte: 32 bits, how many values there are; 5 bits, one less than the bits of a value; four
times 4 bits, one less than the bits of a length of each of four kinds. Then blocks until all values are
there: 1 bit says whether a value is repeated, 2 bits which kind its length is of, the length less one, and
the value, or so many values. The values are the bytes of RGBA pixels row by row, of which the last, alpha, is
0 outside of what was painted (label-studio-converter, brush.py).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_brush(rle: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The (H, W) mask.

    Args:
        rle: the bytes, as numbers.
        size: (H, W) of the image.

    Raises:
        ValueError: it is no such list, or of another size.
    """
    if not isinstance(rle, list) or not all(type(byte) is int and 0 <= byte < 256 for byte in rle):
        raise ValueError("a list of bytes 0..255 is expected")
    bits = _Bits(bytes(rle))
    count, depth = bits.read(32), bits.read(5) + 1
    length_bits = [bits.read(4) + 1 for _ in range(4)]
    if count != 4 * size[0] * size[1]:
        raise ValueError(f"it has {count} values, {size[1]}x{size[0]} pixels need {4 * size[0] * size[1]}")
    values = np.zeros(count, np.uint32)
    done = 0
    while done < count:
        is_repeated = bits.read(1)
        length = 1 + bits.read(length_bits[bits.read(2)])
        if done + length > count:
            raise ValueError("it has more values than it says")
        values[done : done + length] = (
            bits.read(depth) if is_repeated else [bits.read(depth) for _ in range(length)]
        )
        done += length
    alpha: NDArray[np.bool_] = values.reshape(*size, 4)[..., 3] != 0
    return alpha


class _Bits:
    """Numbers from bits, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._text = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else ""
        self._place = 0

    def read(self, bits: int) -> int:
        """The next number of so many bits."""
        end = self._place + bits
        if end > len(self._text):
            raise ValueError("it ends too early")
        number = int(self._text[self._place : end], 2)
        self._place = end
        return number
