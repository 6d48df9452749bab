import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** Servers on 127.0.0.1 for one suite; all are closed after each test. */
export function useLocalServers(): LocalServers {
  const servers = new LocalServers();
  teardown(() => servers.close());
  return servers;
}

export class LocalServers {
  private running: http.Server[] = [];
  /** Ends of tunnels, which the proxy's server no longer knows. */
  private tunnels: Socket[] = [];

  /** Starts a server and returns its address, such as `http://127.0.0.1:1234`. */
  async http(handler: Handler): Promise<string> {
    return `http://127.0.0.1:${await this.listen(http.createServer(handler))}`;
  }

  async https(identity: { key: string; cert: string }, handler: Handler): Promise<string> {
    return `https://localhost:${await this.listen(https.createServer(identity, handler))}`;
  }

  /** A proxy that tunnels CONNECT and forwards plain requests; `seen` gets each request line. */
  async proxy(seen: string[]): Promise<string> {
    const server = http.createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      http.get(request.url ?? '', { headers: { ...request.headers, connection: 'close' } }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
    });
    server.on('connect', (request: http.IncomingMessage, client: Socket) => {
      seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      const [, port] = (request.url ?? '').split(':');
      const target = connect(Number(port), '127.0.0.1', () => {
        this.tunnels.push(target, client);
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        target.pipe(client).pipe(target);
      });
      target.on('error', () => client.destroy());
      client.on('error', () => target.destroy());
    });
    return `http://127.0.0.1:${await this.listen(server)}`;
  }

  async close(): Promise<void> {
    const closing = this.running.map(
      (server) =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    );
    for (const end of this.tunnels) end.destroy();
    [this.running, this.tunnels] = [[], []];
    await Promise.all(closing);
  }

  private async listen(server: http.Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.running.push(server);
    return (server.address() as AddressInfo).port;
  }
}
