/** The rooms of docs/ARCHITECTURE.md as rules. Each name is what the check prints, so it says what is wrong. */
const deny = (name, from, to) => ({ name, severity: 'error', from, to });
module.exports = {
  forbidden: [
    deny('no-circular-imports', {}, { circular: true }),
    deny('no-unresolvable-imports', {}, { couldNotResolve: true, pathNot: '^vscode$' }),
    deny('protocol-imports-nothing', { path: '^protocol/' }, { pathNot: '^protocol/' }),
    deny(
      'src-reaches-the-server-only-by-protocol',
      { path: '^src/' },
      { path: '^(server|media|kernels|bench|test)/' },
    ),
    deny(
      'server-never-sees-the-editor',
      { path: '^server/' },
      { path: '^(src|media|bench|test)/|^vscode$|^node_modules/@types/vscode/' },
    ),
    deny('webview-imports-protocol-only', { path: '^media/' }, { path: '^(src|server|kernels|bench|test)/' }),
    deny(
      'only-the-adapter-of-workspace-sees-the-editor',
      { path: '^src/(workspace|cli)/', pathNot: '^src/workspace/vscode-' },
      { path: '^vscode$|^node_modules/@types/vscode/' },
    ),
    deny(
      'prompt-is-pure',
      { path: '^server/prompt/' },
      {
        path: '^server/(backends|engine|engine-host|handlers|models)/|^(fs|path|child_process|worker_threads|os)$',
        dependencyTypesNot: ['type-only'],
      },
    ),
    deny(
      'engine-knows-only-the-backend-interface',
      { path: '^server/engine/' },
      { path: '^server/(backends/(?!backend\\.ts)|engine-host/|handlers/|main\\.ts|context/|prompt/)' },
    ),
    deny(
      'only-the-engine-host-loads-a-backend',
      { path: '^server/', pathNot: '^server/(backends|engine-host)/' },
      { path: '^server/backends/(?!backend\\.ts)' },
    ),
    deny(
      'onnxruntime-is-loaded-in-its-backend-only',
      { pathNot: '^(server/backends/onnx|test|bench)/' },
      { path: 'node_modules/onnxruntime-node/' },
    ),
    deny('nothing-imports-the-bench', { pathNot: '^(bench|test)/' }, { path: '^bench/' }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|test/fixtures)/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs'],
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'require', 'default', 'types'],
    },
  },
};
