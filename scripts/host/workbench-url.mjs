import path from 'node:path';

/** The address of a workbench on `folder`, or on nothing, with an extension under development. */
export function workbenchUrl(port, { folder, workspace, dev, tests }) {
  const remote = (file) => `vscode-remote://127.0.0.1:${port}${path.resolve(file)}`;
  const payload = [];
  if (dev) payload.push(['extensionDevelopmentPath', remote(dev)]);
  if (tests) payload.push(['extensionTestsPath', remote(tests)]);
  const query = new URLSearchParams();
  if (folder) query.set('folder', path.resolve(folder));
  else if (workspace) query.set('workspace', path.resolve(workspace));
  else query.set('ew', 'true');
  if (payload.length) query.set('payload', JSON.stringify(payload));
  return `http://127.0.0.1:${port}/?${query}`;
}
