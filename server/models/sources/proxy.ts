import { SourceFailure } from './model-source';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for a URL (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in
 * either case), or undefined for a direct connection.
 *
 * @throws SourceFailure when the variable is set to something that cannot be used
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const scheme = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const value = readVariable(env, scheme) ?? readVariable(env, 'all_proxy');
  if (value === undefined || isExempt(url, readVariable(env, 'no_proxy') ?? '')) return undefined;
  const text = value.includes('://') ? value : `http://${value}`;
  if (!URL.canParse(text)) throw new SourceFailure(`the proxy setting "${value}" is not a URL`);
  const proxy = new URL(text);
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    throw new SourceFailure(`a ${proxy.protocol.slice(0, -1)} proxy cannot be used, only http and https`);
  }
  return proxy;
}

/** `Basic …` from the user and password of a proxy's URL; undefined without a user. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === '') return undefined;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function readVariable(env: Environment, name: string): string | undefined {
  const value = (env[name] ?? env[name.toUpperCase()])?.trim();
  return value === '' ? undefined : value;
}

/** As curl reads it: `*`, a host, or a domain with all below it; each with an optional port. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', entryPort] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      const matches = host === name || host.endsWith(`.${name}`);
      return matches && (entryPort === undefined || entryPort === port);
    });
}
