import { BackendServer } from './backend-server';
import type { HostReply, HostRequest } from './messages';
import { createBackendSelector } from './select-backend';

/**
 * Composition root of the engine host, the forked process that owns weights and KV: whatever goes wrong with a
 * device ends here. The parent captures stdout and stderr, so that native prints reach its log and nothing else.
 */
if (!process.connected) {
  process.stderr.write('The engine host is started by the Longview server, not by hand.\n');
  process.exit(2);
}
const reply = (message: HostReply): void => {
  process.send?.(message);
};

const server = new BackendServer(createBackendSelector(), reply);
process.on('message', (request: HostRequest) => void server.receive(request));
// The parent is gone: nobody waits for an answer, and leaving is the surest way to free the device.
process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal goes to the whole group, and is for the client to act on.
process.on('SIGINT', () => undefined);
reply({ kind: 'ready' });
