import { join } from 'node:path';
import { z } from 'zod';
import { throwIfCancelled } from '../../errors';
import type { CatalogueModel } from '../catalogue';
import { readJsonFile, writeJsonFile } from '../json-file';
import type { HttpClient, HttpResponse } from './http-client';
import { type FetchRequest, type ModelSource, SourceFailure, type SourceOffer } from './model-source';
import { openPartFile, type PartFile } from './part-file';
import type { Environment } from './proxy';

const DEFAULT_ENDPOINT = 'https://huggingface.co';
/** Broken connections in a row that brought nothing new before the hub is given up. */
const MAX_FRUITLESS_ATTEMPTS = 3;
const RANGE_NOT_SATISFIABLE = 416;

/** What the server said of the file that the part was cut from. */
const PartState = z.object({ etag: z.string().optional() });

/** The Hugging Face hub, or a mirror of it named by `HF_ENDPOINT`. */
export class HubSource implements ModelSource {
  readonly kind = 'hub';

  constructor(
    private readonly http: HttpClient,
    private readonly env: Environment,
    private readonly openPart: (path: string) => Promise<PartFile> = openPartFile,
  ) {}

  offer(model: CatalogueModel): SourceOffer {
    return {
      name: `Hugging Face hub, ${model.hub.repo}`,
      thirdParty: false,
      packages: [],
      fetch: (request) => this.fetch(model, request),
    };
  }

  private async fetch(model: CatalogueModel, request: FetchRequest): Promise<string> {
    const part = await this.openPart(join(request.workDir, 'hub.part'));
    try {
      await new HubDownload(this.http, this.urlOf(model), model.bytes, part, request).run();
    } finally {
      await part.close();
    }
    return part.path;
  }

  private urlOf({ hub }: CatalogueModel): URL {
    const endpoint = this.env['HF_ENDPOINT']?.trim().replace(/\/+$/, '') || DEFAULT_ENDPOINT;
    const url = `${endpoint}/${hub.repo}/resolve/${hub.revision}/${hub.file}`;
    if (!URL.canParse(url)) throw new SourceFailure(`HF_ENDPOINT is not a web address: ${endpoint}`);
    return new URL(url);
  }
}

/** One file over as many requests as broken connections make necessary. */
class HubDownload {
  private readonly statePath: string;

  constructor(
    private readonly http: HttpClient,
    private readonly url: URL,
    private readonly totalBytes: number,
    private readonly part: PartFile,
    private readonly request: FetchRequest,
  ) {
    this.statePath = `${part.path}.json`;
  }

  async run(): Promise<void> {
    if (this.part.lengthBytes > this.totalBytes) await this.part.truncate(0);
    // Counted against the best so far: a server that knows no ranges and always breaks would else go on for ever.
    let bestBytes = this.part.lengthBytes;
    let fruitless = 0;
    while (this.part.lengthBytes < this.totalBytes) {
      const broken = await this.receive(await this.open());
      fruitless = this.part.lengthBytes > bestBytes ? 0 : fruitless + 1;
      bestBytes = Math.max(bestBytes, this.part.lengthBytes);
      if (broken && fruitless === MAX_FRUITLESS_ATTEMPTS) throw broken;
    }
  }

  /** A response whose body continues the part, which is emptied when the server starts over. */
  private async open(): Promise<HttpResponse> {
    const from = this.part.lengthBytes;
    const etag = PartState.safeParse(await readJsonFile(this.statePath)).data?.etag;
    const response = await this.http.get({
      url: this.url,
      signal: this.request.signal,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'longview',
        ...(from > 0 && { range: `bytes=${from}-`, ...(etag !== undefined && { 'if-range': etag }) }),
      },
    });
    try {
      await this.accept(response, from);
    } catch (error) {
      response.destroy();
      throw error;
    }
    return response;
  }

  private async accept(response: HttpResponse, from: number): Promise<void> {
    const offered = offeredRange(response);
    if (!offered) {
      if (response.statusCode === RANGE_NOT_SATISFIABLE) await this.part.truncate(0);
      throw new SourceFailure(`${this.url.host} answers with status ${response.statusCode ?? 0}`);
    }
    if (offered.totalBytes !== undefined && offered.totalBytes !== this.totalBytes) {
      const sizes = `${offered.totalBytes} bytes instead of ${this.totalBytes}`;
      throw new SourceFailure(`${this.url.host} offers another file, of ${sizes}`);
    }
    if (offered.from !== from) {
      if (offered.from !== 0)
        throw new SourceFailure(`${this.url.host} sends a range that was not asked for`);
      await this.part.truncate(0);
    }
    const { etag } = response.headers;
    const strong = etag?.startsWith('"') === true ? etag : undefined;
    await writeJsonFile(this.statePath, { etag: strong } satisfies z.infer<typeof PartState>);
  }

  /** Appends the body. Returns what broke it, or undefined when it came to the end of the file. */
  private async receive(response: HttpResponse): Promise<SourceFailure | undefined> {
    try {
      for await (const chunk of bodyOf(response, this.url.host)) {
        if (this.part.lengthBytes + chunk.length > this.totalBytes) {
          await this.part.truncate(0);
          throw new SourceFailure(`${this.url.host} sends more than ${this.totalBytes} bytes`);
        }
        await this.part.append(chunk);
        this.request.onProgress(this.part.lengthBytes);
      }
    } catch (error) {
      throwIfCancelled(this.request.signal);
      if (error instanceof BrokenBody) return error;
      throw error;
    } finally {
      response.destroy();
    }
    if (this.part.lengthBytes === this.totalBytes) return undefined;
    return new BrokenBody(`${this.url.host} ended the file early`);
  }
}

/** The connection broke within the body: going on from there is worth a try. */
class BrokenBody extends SourceFailure {}

/** The chunks of a body; every error of the network, and none of the reader, becomes `BrokenBody`. */
async function* bodyOf(response: HttpResponse, host: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    const reason = error instanceof SourceFailure ? error.message : `${host} broke the connection`;
    throw new BrokenBody(reason, { cause: error });
  }
}

/** Which part of the file a response carries; undefined when it carries none. */
function offeredRange(response: HttpResponse): { from: number; totalBytes: number | undefined } | undefined {
  if (response.statusCode === 200) {
    const length = response.headers['content-length'];
    return { from: 0, totalBytes: length === undefined ? undefined : Number(length) };
  }
  if (response.statusCode !== 206) return undefined;
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
  if (!match) return undefined;
  return { from: Number(match[1]), totalBytes: match[2] === '*' ? undefined : Number(match[2]) };
}
