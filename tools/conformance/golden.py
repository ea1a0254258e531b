"""The golden script of script.ts on wasm3 (pywasm3) or wasmtime: golden.py wasm3|wasmtime < script.json"""

import importlib.metadata
import json
import struct
import sys
import time


class Wasm3:
    """Functions are compiled as they are first called: pywasm3 has no other way."""

    STACK_BYTES = 64 * 1024

    def __init__(self, module, weights):
        import wasm3

        self.version = wasm3.M3_VERSION
        environment = wasm3.Environment()
        self.runtime = environment.new_runtime(self.STACK_BYTES)
        self.module = environment.parse_module(module)
        self.runtime.load(self.module)
        if weights is not None:

            def read(offset, destination, count):
                self.runtime.get_memory(0)[destination : destination + count] = weights[offset : offset + count]
                return count

            self.module.link_function("saffu", "read", "i(iii)", read)

    def function(self, name):
        return self.runtime.find_function(name)

    def value(self, name):
        return self.module.get_global(name)

    def write(self, start, data):
        self.runtime.get_memory(0)[start : start + len(data)] = data

    def bytes(self, start, end):
        return bytes(self.runtime.get_memory(0)[start:end])


class Wasmtime:
    def __init__(self, module, weights):
        import wasmtime

        self.version = importlib.metadata.version("wasmtime")
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        linker = wasmtime.Linker(engine)
        if weights is not None:

            def read(caller, offset, destination, count):
                caller["memory"].write(caller, weights[offset : offset + count], destination)
                return count

            i32 = wasmtime.ValType.i32()
            kind = wasmtime.FuncType([i32, i32, i32], [i32])
            linker.define_func("saffu", "read", kind, read, access_caller=True)
        instance = linker.instantiate(self.store, wasmtime.Module(engine, module))
        self.exports = instance.exports(self.store)

    def function(self, name):
        function = self.exports[name]
        return lambda *values: function(self.store, *values)

    def value(self, name):
        return self.exports[name].value(self.store)

    def write(self, start, data):
        self.exports["memory"].write(self.store, data, start)

    def bytes(self, start, end):
        return self.exports["memory"].read(self.store, start, end)


def fnv(data):
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def answer(device, step):
    kind = step["do"]
    if kind == "call":
        value = device.function(step["function"])(*step["arguments"])
        return {"values": [] if value is None else [value]}
    if kind == "generate":
        sample, append = device.function("sample"), device.function("append")
        every = step.get("every", 1)
        temperature, top_p = float(step["temperature"]), float(step["topP"])
        tokens = []
        for _ in range(step["count"]):
            if every > 1:
                device.function("predict")()
                for token in range(step["vocabulary"]):
                    if token % every > 0:
                        device.write(device.value("PROBABILITIES") + 4 * token, struct.pack("<f", -1))
            tokens.append(sample(temperature, step["topK"], top_p))
            append(tokens[-1])
        return {"values": tokens}
    if kind == "each":
        function = device.function(step["function"])
        return {"values": [bits(function(token)) for token in step["tokens"]]}
    if kind == "refit":
        return {"values": [device.function("refit")(step["from"], step["to"], float(step["pseudoCounts"]), float(step["step"]))]}
    if kind == "region":
        return {"digest": fnv(device.bytes(device.value(step["from"]), device.value(step["to"]) + step["beyond"]))}
    raise ValueError(f"no step {kind}")


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    script = json.load(sys.stdin)
    weights = None if script["weights"] is None else contents(script["weights"])
    device = {"wasm3": Wasm3, "wasmtime": Wasmtime}[sys.argv[1]](contents(script["module"]), weights)
    print(json.dumps({"version": device.version}))
    for step in script["steps"]:
        start = time.perf_counter()
        result = answer(device, step)
        print(json.dumps({**result, "seconds": time.perf_counter() - start}))


main()
