"""Classifiers of scikit-learn on MNIST's pixels: peers.py FOLDER SEEDS < nothing; a JSON line a classifier and seed."""

import json
import sys
import time

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

folder, seeds = sys.argv[1], int(sys.argv[2])
only = sys.argv[3] if len(sys.argv) > 3 else ""


def read(name, skip):
    with open(f"{folder}/{name}", "rb") as file:
        return numpy.frombuffer(file.read(), dtype=numpy.uint8)[skip:]


train = read("train-images-idx3-ubyte", 16).reshape(-1, 784) / numpy.float32(255)
test = read("t10k-images-idx3-ubyte", 16).reshape(-1, 784) / numpy.float32(255)
train_labels, test_labels = read("train-labels-idx1-ubyte", 8), read("t10k-labels-idx1-ubyte", 8)

PEERS = {
    "logistic regression": lambda seed: LogisticRegression(max_iter=50, random_state=seed),
    "random forest, 100 trees": lambda seed: RandomForestClassifier(100, random_state=seed, n_jobs=1),
    "MLP, 100 units, Adam": lambda seed: MLPClassifier((100,), max_iter=15, random_state=seed),
    "gradient boosting, 60 rounds": lambda seed: HistGradientBoostingClassifier(max_iter=60, random_state=seed),
}
for name, make in PEERS.items():
    if only not in name:
        continue
    # boosting takes minutes a seed
    for seed in range(1, (1 if "boosting" in name else seeds) + 1):
        before = time.process_time()
        classifier = make(seed).fit(train, train_labels)
        seconds = time.process_time() - before
        right = float((classifier.predict(test) == test_labels).mean())
        print(json.dumps({"name": name, "seed": seed, "right": right, "seconds": seconds}), flush=True)
