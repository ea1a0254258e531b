"""What people use today for short messages: bytes of each, packed by itself.

    codecs.py FIT < MESSAGES

FIT: a file of messages, one a line, that what can be primed is primed with. Messages come one a line. Prints a JSON object: for each codec its name, the
bytes that it needs beside its code, and the bytes of each message; -1 where it was left out. What a codec makes longer stands as it is behind a byte.
"""

import json
import sys

import brotli
import pyppmd
import smaz
import unishox2
import zstandard

DICTIONARY = 300_000
PPMD_ORDERS = (4, 5, 6)
PPMD_MEMORY = 64 << 20
# every so manyth message, as the training text is packed with each
PPMD_STEP = 10

fit = open(sys.argv[1], "rb").read()
primer = fit[:DICTIONARY].rpartition(b"\n")[0] + b"\n"
messages = [line for line in sys.stdin.buffer.read().split(b"\n")[:-1]]


def sizes(pack):
    return [min(len(pack(message)), len(message) + 1) for message in messages]


def zstd_with(dictionary):
    return zstandard.ZstdCompressor(
        level=19, dict_data=dictionary, write_content_size=False, write_checksum=False, write_dict_id=False
    ).compress


def ppmd_bytes(text, order):
    encoder = pyppmd.Ppmd7Encoder(order, PPMD_MEMORY)
    return len(encoder.encode(text) + encoder.flush())


def primed(order):
    before = ppmd_bytes(primer, order)
    return [
        ppmd_bytes(primer + message + b"\n", order) - before if i % PPMD_STEP == 0 else -1
        for i, message in enumerate(messages)
    ]


trained = zstandard.train_dictionary(DICTIONARY, [line for line in fit.split(b"\n") if line], level=19)
raw = zstandard.ZstdCompressionDict(primer, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
codecs = [
    ("Unishox2", 0, sizes(lambda message: unishox2.compress(message.decode())[0])),
    ("smaz", 0, sizes(lambda message: smaz.compress(message.decode()))),
    ("brotli, its own dictionary", 0, sizes(lambda message: brotli.compress(message, quality=11))),
    ("zstd, a dictionary trained on all", len(trained.as_bytes()), sizes(zstd_with(trained))),
    ("zstd, primed with 300 KB", len(primer), sizes(zstd_with(raw))),
] + [(f"PPMd {order}, primed with 300 KB", len(primer), primed(order)) for order in PPMD_ORDERS]
json.dump([{"name": name, "bytes": size, "sizes": each} for name, size, each in codecs], sys.stdout)
