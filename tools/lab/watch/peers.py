"""Scores of Drain3, scikit-learn and river for the streams that watch.ts writes: peers.py FILE...; a JSON line a scorer and stream.

Each row is scored before it is learned. An isolation forest cannot learn row by row: it is refitted to all rows so far whenever there are a quarter more.
Depth and similarity of Drain's tree, and heights and windows of the half-space trees, were tried on the dev streams; Drain's own were the best.
"""

import json
import math
import re
import sys
import time
import zlib

import numpy
from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
from river import anomaly, linear_model, optim, preprocessing
from sklearn.ensemble import IsolationForest

WORD_COLUMNS = 256
TREE_COLUMNS = 64
LEAST_ROWS = 64
WORD = re.compile(r"[A-Za-z]+|[^\sA-Za-z0-9]|\d+")


def words(line):
    """Words and signs; a number is its count of digits."""
    return [f"#{len(word)}" if word[0].isdigit() else word.lower() for word in WORD.findall(line)]


def hashed(line, columns):
    """Counts of words and of pairs of words, by their hashes."""
    found = {}
    own = words(line)
    for word in own + [f"{one} {other}" for one, other in zip(own, own[1:])]:
        at = zlib.crc32(word.encode()) % columns
        found[at] = found.get(at, 0) + 1
    return found


def drained(rows):
    """Drain's cluster of each line, its size with the line, and whether it is new."""
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    config.masking_instructions = [
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
        MaskingInstruction(r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
    ]
    miner = TemplateMiner(config=config)
    for row in rows:
        result = miner.add_log_message(row)
        yield result["cluster_size"], result["change_type"] != "none"


def drain_frequency(rows, labels):
    return [-math.log(size / (i + 1)) for i, (size, _) in enumerate(drained(rows))]


def drain_new(rows, labels):
    """A line that makes or changes a template is as surprising as there are lines; others as their template is rare, below all of those."""
    return [(1000 if new else 0) - math.log(size / (i + 1)) for i, (size, new) in enumerate(drained(rows))]


def forest(matrix):
    scores = numpy.zeros(len(matrix))
    at = min(LEAST_ROWS, len(matrix))
    while at < len(matrix):
        end = min(len(matrix), at + max(LEAST_ROWS, at // 4))
        model = IsolationForest(n_estimators=100, random_state=1, n_jobs=1).fit(matrix[:at])
        scores[at:end] = -model.score_samples(matrix[at:end])
        at = end
    return scores.tolist()


def forest_of_words(rows, labels):
    matrix = numpy.zeros((len(rows), WORD_COLUMNS), dtype=numpy.float32)
    for i, row in enumerate(rows):
        for at, count in hashed(row, WORD_COLUMNS).items():
            matrix[i, at] = count
    return forest(matrix)


def forest_of_columns(rows, labels):
    return forest(numpy.array(rows, dtype=float))


def trees(vectors, window=250):
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(n_trees=25, height=10, window_size=window, seed=1)
    scores = []
    for vector in vectors:
        scores.append(model.score_one(vector))
        model.learn_one(vector)
    return scores


def trees_of_words(rows, labels):
    def vectors():
        for row in rows:
            found = hashed(row, TREE_COLUMNS)
            yield {at: found.get(at, 0) for at in range(TREE_COLUMNS)}

    return trees(vectors())


def trees_of_columns(rows, labels):
    return trees(dict(enumerate(map(float, row))) for row in rows)


def differences(rows):
    """Each row with what changed since the one before."""
    return [list(row) + [now - old for now, old in zip(row, before)] for row, before in zip(rows, rows[:1] + rows)]


def forest_of_differences(rows, labels):
    return forest(numpy.array(differences(rows), dtype=float))


def trees_of_differences(rows, labels):
    return trees((dict(enumerate(map(float, row))) for row in differences(rows)), window=100)


def logistic(rows, labels):
    model = linear_model.LogisticRegression(optimizer=optim.AdaGrad(0.3))
    scores = []
    for row, label in zip(rows, labels):
        found = {at: 1 for at in hashed(row, 1 << 16)}
        scores.append(model.predict_proba_one(found).get(True, 0.0))
        model.learn_one(found, label)
    return scores


SCORERS = {
    "lines": {
        "Drain3, frequency": drain_frequency,
        "Drain3, new templates first": drain_new,
        "isolation forest of words": forest_of_words,
        "half-space trees of words": trees_of_words,
    },
    "numbers": {
        "isolation forest": forest_of_columns,
        "isolation forest, with differences": forest_of_differences,
        "half-space trees": trees_of_columns,
        "half-space trees, with differences": trees_of_differences,
    },
    "labelled": {"logistic regression of words": logistic},
}
for path in sys.argv[1:]:
    with open(path) as file:
        stream = json.load(file)
    for name, scorer in SCORERS[stream["kind"]].items():
        before = time.process_time()
        scores = scorer(stream["rows"], stream["labels"])
        seconds = time.process_time() - before
        print(json.dumps({"name": name, "stream": stream["name"], "seconds": seconds, "scores": scores}), flush=True)
