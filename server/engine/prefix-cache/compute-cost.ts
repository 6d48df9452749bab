/** Tokens of a prompt over which one rate is taken to hold: the deeper, the more there is to attend to. */
const BAND_TOKENS = 4096;

/** Shorter chunks tell what a call costs rather than what its tokens cost. */
const FEWEST_TOKENS = 64;

/** Of the newest chunk: the machine may be busier than it was, or less. */
const NEWEST_WEIGHT = 0.5;

/** What computing prompt tokens takes on this device, as measured: by attention and by how deep in the prompt they are. */
export class ComputeCost {
  /** Milliseconds a token, by attention, in bands of depth. */
  private readonly bands = new Map<string, Map<number, number>>();

  /** @param attention `attentionKey` of the plan @param ms that the device worked */
  observe(attention: string, startToken: number, tokens: number, ms: number): void {
    if (tokens < FEWEST_TOKENS) return;
    const bands = this.bands.get(attention) ?? new Map<number, number>();
    this.bands.set(attention, bands);
    const newest = ms / tokens;
    for (let band = bandOf(startToken); band <= bandOf(startToken + tokens - 1); band++) {
      const before = bands.get(band) ?? newest;
      bands.set(band, NEWEST_WEIGHT * newest + (1 - NEWEST_WEIGHT) * before);
    }
  }

  /** Time for the tokens from `startToken` up to, not including, `endToken`, in ms; undefined before any was measured. */
  estimateMs(attention: string, startToken: number, endToken: number): number | undefined {
    const bands = this.bands.get(attention);
    if (!bands) return undefined;
    let ms = 0;
    for (let at = startToken; at < endToken; ) {
      const end = Math.min(endToken, (bandOf(at) + 1) * BAND_TOKENS);
      ms += (end - at) * rateNear(bands, bandOf(at));
      at = end;
    }
    return ms;
  }
}

function bandOf(token: number): number {
  return Math.floor(token / BAND_TOKENS);
}

/** The rate of the band, or of the one nearest to it that is known. */
function rateNear(bands: ReadonlyMap<number, number>, wanted: number): number {
  let rate = 0;
  let distance = Number.POSITIVE_INFINITY;
  for (const [band, msPerToken] of bands) {
    if (Math.abs(band - wanted) >= distance) continue;
    distance = Math.abs(band - wanted);
    rate = msPerToken;
  }
  return rate;
}
