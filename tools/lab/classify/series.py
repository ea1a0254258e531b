"""Writes the labelled series that come with aeon, and what scikit-learn makes of them: series.py FOLDER"""

import json
import sys

import numpy
from aeon.datasets import load_classification
from sklearn.ensemble import RandomForestClassifier

SETS = ["ACSF1", "ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand", "OSULeaf", "UnitTest"]
PEERS = {"random forest": lambda seed: RandomForestClassifier(200, random_state=seed, n_jobs=1)}
for name in SETS:
    parts = {}
    for split in ("train", "test"):
        x, y = load_classification(name, split=split, extract_path=None)
        parts[split] = (numpy.asarray(x, dtype=numpy.float32), [str(label) for label in y])
    (train, labels), (test, test_labels) = parts["train"], parts["test"]
    right = {
        peer: [
            float((make(seed).fit(train.reshape(len(train), -1), labels).predict(test.reshape(len(test), -1)) == test_labels).mean())
            for seed in (1, 2, 3)
        ]
        for peer, make in PEERS.items()
    }
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        shape = {"name": name, "channels": train.shape[1], "length": train.shape[2], "right": right}
        rows = {split: [{"input": row.reshape(-1).tolist(), "label": label} for row, label in zip(*part)] for split, part in parts.items()}
        json.dump(shape | rows, file)
