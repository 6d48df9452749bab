/** The rooms of docs/ARCHITECTURE.md as rules. Each name is what the check prints, so it says what is wrong. */
const deny = (name, from, to) => ({ name, severity: 'error', from, to });

/**
 * A rule for each row of the table of rooms: of what lies beside it under `top`, a room imports only what is listed.
 * @param {string} top
 * @param {Record<string, string[]>} mayImport
 */
function rooms(top, mayImport) {
  return Object.entries(mayImport).map(([room, others]) => {
    const allowed = [`${room}/`, ...others, ...(top === 'server' ? ['errors.ts'] : [])];
    return deny(
      `${top}-${room}-imports-only-the-rooms-listed-for-it`,
      { path: `^${top}/${room}/` },
      { path: `^${top}/`, pathNot: `^${top}/(${allowed.join('|').replaceAll('.', '\\.')})` },
    );
  });
}

module.exports = {
  forbidden: [
    deny('no-circular-imports', {}, { circular: true }),
    // The peers of the bench have packages of their own.
    deny(
      'no-unresolvable-imports',
      { pathNot: '^bench/.*\\.mjs$' },
      { couldNotResolve: true, pathNot: '^vscode$' },
    ),
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
      { dependencyTypes: ['core'], pathNot: '^(node:)?path$', dependencyTypesNot: ['type-only'] },
    ),
    deny(
      'engine-and-tokenizer-touch-no-disk-and-no-process',
      { path: '^server/(engine|tokenizer)/' },
      { path: '^(node:)?(fs|child_process|worker_threads|net|http)(/|$)' },
    ),
    ...rooms('server', {
      models: [],
      tokenizer: ['models/gguf/'],
      prompt: ['tokenizer/'],
      context: ['prompt/', 'tokenizer/', 'models/gguf/', 'models/open-model.ts'],
      engine: ['tokenizer/', 'backends/backend.ts'],
      'engine-host': ['backends/', 'engine/backend-provider.ts'],
      backends: ['models/', 'tokenizer/'],
      handlers: ['models/', 'tokenizer/', 'context/', 'prompt/parts.ts', 'engine/', 'connection.ts'],
    }),
    ...rooms('src', {
      client: [],
      workspace: [],
      session: ['client/', 'workspace/', 'config.ts'],
      chat: ['session/', 'workspace/'],
      'context-view': ['chat/', 'session/'],
      status: ['chat/', 'session/', 'config.ts'],
      commands: ['chat/', 'context-view/', 'session/'],
      cli: ['client/', 'workspace/', 'config.ts'],
    }),
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
