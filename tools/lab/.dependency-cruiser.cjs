// The lab measures the product from outside: it knows host, tools and tests, and nothing of those knows it (the project's own rules).
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: "\\.d\\.ts$|^[^/]+\\.(ts|mjs|cjs)$" },
      to: {},
    },
    {
      name: "lab-knows-no-command-line",
      severity: "error",
      from: {},
      to: { path: "host/cli" },
    },
    {
      name: "measured-code-knows-no-study",
      comment: "Corpora and baselines stand alone; figures know them; the evidence knows all of these, and no command.",
      severity: "error",
      from: { path: "^(corpora|baselines|figures|attention|evidence)/" },
      to: { path: "^[^/]+\\.ts$", pathNot: "^paths\\.ts$" },
    },
    {
      name: "baselines-and-corpora-stand-alone",
      severity: "error",
      from: { path: "^(corpora|baselines)/" },
      to: { path: "^(figures|attention|evidence)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules|^\\.\\./" },
    exclude: { path: "^(build|\\.venv)/" },
  },
};
