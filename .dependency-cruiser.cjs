// Data flows one way (ARCHITECTURE.md): errors ← shape, tokenizer ← files ← learning, model ← compile, fit ← tune ← cli and tools. An import
// against that direction is in the wrong place.
const npm = { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"] };
const below = (name, from, to) => ({ name, severity: "error", from: { path: from }, to: { path: to } });

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: "\\.d\\.ts$|^tools/[^/]+\\.(ts|mjs)$|^tools/conformance/(driver|matvec)" },
      to: {},
    },
    below("errors-know-nothing", "^host/(errors|bytes)", "^host/(?!errors|bytes)"),
    below("tokenizer-knows-errors", "^host/tokenizer", "^host/(?!errors|bytes|pace|tokenizer)"),
    below("messages-know-tokenizer", "^host/messages", "^host/(?!errors|bytes|pace|tokenizer|files/sha256|messages)"),
    below("files-know-tokenizer", "^host/files", "^host/(?!errors|bytes|pace|shape|tokenizer|files)"),
    below(
      "learning-knows-files",
      "^host/learning",
      "^host/(?!errors|bytes|pace|shape|tokenizer|files|learning|pace|model/kernel)",
    ),
    below(
      "model-knows-learning",
      "^host/model",
      "^host/(?!errors|bytes|pace|shape|tokenizer|files|learning|messages|model)",
    ),
    below(
      "classify-knows-model",
      "^host/classify/(?!.*-node)",
      "^host/(?!errors|bytes|pace|shape|files|model/(webassembly|predictor-module|data-section|kernel)|classify)",
    ),
    below(
      "watch-knows-model",
      "^host/watch/(?!.*-node)",
      "^host/(?!errors|bytes|pace|shape|files|tokenizer|model|watch)",
    ),
    below("onnx-knows-model", "^host/onnx", "^host/(?!errors|bytes|pace|shape|files|model|onnx)"),
    below(
      "compile-knows-model",
      "^host/compile",
      "^host/(?!errors|bytes|pace|shape|files|model|classify|watch|compile)",
    ),
    below("tune-is-known-above", "^host/(?!tune|cli|index)", "^host/tune"),
    below("nothing-knows-cli", "^(host/(?!cli)|tools/|assembly/)", "^host/cli"),
    below("host-knows-no-tools", "^host", "^(tools|test|assembly)/"),
    below("nothing-knows-the-lab", "^(host|assembly|tools/(?!lab/))", "^tools/lab/"),
    below("nothing-knows-the-peers", "^(host|assembly|tools/(?!peers/))", "^tools/peers/"),
    below("assembly-stands-alone", "^assembly", "^(host|tools|test)"),
    {
      name: "inference-has-no-dependency",
      comment: "What runs a model imports no package: the command line, the compiler and the tools may.",
      severity: "error",
      from: {
        path: "^host/(errors|bytes|pace|shape|tokenizer|files|learning|messages|model|onnx|classify|watch|fit|tune|browser|index)",
      },
      to: npm,
    },
    {
      name: "browser-needs-no-node",
      severity: "error",
      from: { path: "^host/((classify|watch)/)?browser" },
      to: { reachable: true, path: "-node\\.ts$|^host/(index|cli|fit|compile|onnx|tune)" },
    },
    {
      name: "node-builtins-where-named",
      comment:
        "Builtins of Node stand in *-node.ts, the command line, the compiler, the fit's threads and Node's entry.",
      severity: "error",
      from: {
        path: "^host",
        pathNot: "^host/(cli|compile|model/platform-node|index\\.ts|fit/solver\\.ts)|-node\\.ts$",
      },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules|^tools/(lab|peers)/" },
    exclude: { path: "^(dist|build)/|__tests__" },
  },
};
