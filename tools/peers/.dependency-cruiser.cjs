// The peers are measured from outside: this package knows host, tools and tests, and nothing of those knows it (the project's own rules).
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: "\\.d\\.m?ts$|^[^/]+\\.(ts|mjs|cjs)$" },
      to: {},
    },
    { name: "peers-know-no-command-line", severity: "error", from: {}, to: { path: "host/cli" } },
    {
      name: "workers-stand-alone",
      comment:
        "What runs in a peer's process is that peer, and nothing of the bench: its start and its memory are measured.",
      severity: "error",
      from: { path: "^workers/" },
      to: { path: "^[^/]+\\.ts$" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules|^\\.\\./" },
    exclude: { path: "^(build|\\.venv)/" },
  },
};
