"""A data frame out of R's .rds (XDR, versions 2 and 3): as much of the format as the public data here need."""

import gzip
import struct

import numpy as np
import pandas as pd

NOTHING, SYMBOL, PAIRS, NAME, INTEGERS, NUMBERS, STRINGS, LIST, COMPACT = 254, 1, 2, 9, 13, 14, 16, 19, 238
MISSING = -(2**31)


class _Reader:
    def __init__(self, content: bytes):
        self.content, self.at, self.symbols = content, 0, []

    def integer(self) -> int:
        self.at += 4
        return struct.unpack_from(">i", self.content, self.at - 4)[0]

    def array(self, kind: str) -> np.ndarray:
        n = self.integer()
        values = np.frombuffer(self.content, kind, n, self.at)
        self.at += values.nbytes
        return values.astype(kind[1:])

    def item(self):
        """(value, attributes) of the next item."""
        flags = self.integer()
        kind, attributes = flags & 255, {}
        if kind == NOTHING:
            return None, attributes
        if kind == 255:  # a symbol met before
            return self.symbols[(flags >> 8) - 1], attributes
        if kind == SYMBOL:
            self.symbols.append(self.item()[0])
            return self.symbols[-1], attributes
        if kind == PAIRS:
            found = {}
            while kind == PAIRS:
                if flags & 0x200:
                    self.item()
                tag = self.item()[0] if flags & 0x400 else None
                found[tag] = self.item()
                flags = self.integer()
                kind = flags & 255
            return found, attributes
        if kind == NAME:
            n = self.integer()
            self.at += max(n, 0)
            return (None if n < 0 else self.content[self.at - n:self.at].decode()), attributes
        if kind == COMPACT:
            _, state, more = self.item()[0], self.item()[0], self.item()[0]
            return state, {name: value for name, value in (more or {}).items()}
        if kind in (INTEGERS, 10):
            value = self.array(">i4")
        elif kind == NUMBERS:
            value = self.array(">f8")
        elif kind == STRINGS:
            value = [self.item()[0] for _ in range(self.integer())]
        elif kind == LIST:
            value = [self.item() for _ in range(self.integer())]
        else:
            raise ValueError(f"R item of type {kind} at byte {self.at}")
        if flags & 0x200:
            attributes = self.item()[0]
        return value, attributes


def read_rds(path) -> pd.DataFrame:
    """The data frame in an .rds file; factors become words."""
    reader = _Reader(gzip.open(path, "rb").read())
    reader.at = 2
    version = reader.integer()
    reader.at += 8
    if version == 3:  # the name of the encoding
        length = reader.integer()
        reader.at += length
    columns, attributes = reader.item()
    table = {}
    for name, (values, own) in zip(attributes["names"][0], columns, strict=True):
        levels = (own or {}).get("levels")
        table[name] = values if levels is None else np.array([None, *levels[0]], object)[np.maximum(values, 0)]
    return pd.DataFrame(table)
