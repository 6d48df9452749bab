import { answersKept, type Group, sizeOf } from './rows';

const SIZE = { width: 640, height: 380, left: 60, right: 150, top: 36, bottom: 48 };
const COLOURS = ['#1f6feb', '#d1242f', '#8250df', '#6e7781', '#1a7f37', '#bf8700'];

/** One way to read prompts: what it costs, and the share of dense attention's answers that it keeps. */
export interface ParetoPoint {
  label: string;
  ms: number;
  kept: { value: number; low: number; high: number };
}

/** Answers kept against time; dense is the line at `denseMs`. */
export function paretoPlot(
  points: readonly ParetoPoint[],
  { title, unit, denseMs }: { title: string; unit: string; denseMs: number },
): string {
  const mostMs = Math.max(denseMs, ...points.map(({ ms }) => ms)) * 1.05;
  const { x, y, frame } = axes(title, unit, mostMs, (ms) => ms.toFixed(0));
  const marks = points.map(({ label, ms, kept }, i) => {
    const [px, colour] = [x(ms), COLOURS[i % COLOURS.length] ?? '#000'];
    return [
      `<line x1="${px}" x2="${px}" y1="${y(kept.low)}" y2="${y(kept.high)}" stroke="${colour}"/>`,
      `<circle cx="${px}" cy="${y(kept.value)}" r="5" fill="${colour}"/>`,
      `<text x="${SIZE.width - SIZE.right + 12}" y="${SIZE.top + 20 + 18 * i}" fill="${colour}">${label}</text>`,
    ].join('\n');
  });
  const dense = `<line x1="${x(denseMs)}" x2="${x(denseMs)}" y1="${y(0)}" y2="${y(1)}" stroke="#6e7781" stroke-dasharray="4"/>`;
  return svg([...frame, dense, ...marks]);
}

const DEPTHS = 5;

/** Answers kept by the depth of what was asked for. */
export function depthPlot(groups: readonly Group[], lengthTokens: number): string {
  const { x, y, frame } = axes(`Answers kept by depth at ${sizeOf(lengthTokens)}`, 'depth', 1, (depth) =>
    depth.toFixed(1),
  );
  const lines = groups.map((group, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? '#000';
    const points = Array.from({ length: DEPTHS }, (_, bin) => {
      const answers = group.cells
        .flatMap(answersKept)
        .filter(({ depth }) => Math.min(DEPTHS - 1, Math.floor(depth * DEPTHS)) === bin);
      const share = answers.filter(({ right }) => right).length / answers.length;
      return answers.length === 0 ? '' : `${x((bin + 0.5) / DEPTHS)},${y(share)}`;
    });
    return [
      `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${SIZE.width - SIZE.right + 12}" y="${SIZE.top + 20 + 18 * i}" fill="${colour}">${group.configuration}</text>`,
    ].join('\n');
  });
  return svg([...frame, ...lines]);
}

/** Density of every head, layer by layer, mean over the cells: dark is dense. */
export function headPlot(densities: readonly number[], heads: number, title: string): string {
  const [cell, left, top] = [20, 60, 40];
  const layers = densities.length / heads;
  const squares = densities.map((density, i) => {
    const [layer, head] = [Math.floor(i / heads), i % heads];
    // Square roots tell small shares apart.
    const shade = Math.round(255 * (1 - Math.sqrt(Math.min(1, density))));
    const at = `x="${left + head * cell}" y="${top + layer * cell}"`;
    const text = `layer ${layer}, head ${head}: ${(density * 100).toFixed(1)}%`;
    return `<rect ${at} width="${cell}" height="${cell}" fill="rgb(${shade},${shade},255)"><title>${text}</title></rect>`;
  });
  const labels = Array.from({ length: layers }, (_, layer) => {
    return `<text x="${left - 6}" y="${top + layer * cell + 14}" text-anchor="end">${layer}</text>`;
  });
  const [width, height] = [left + heads * cell + 20, top + layers * cell + 20];
  return svg([`<text x="${left}" y="24" font-weight="bold">${title}</text>`, ...labels, ...squares], {
    width,
    height,
  });
}

function axes(title: string, unit: string, most: number, tick: (value: number) => string) {
  const { width, height, left, right, top, bottom } = SIZE;
  const x = (value: number): number => left + (value / most) * (width - left - right);
  const y = (share: number): number => height - bottom - share * (height - top - bottom);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const frame = [
    `<text x="${left}" y="20" font-weight="bold">${title}</text>`,
    `<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${unit}</text>`,
    ...ticks.map(
      (share) =>
        `<line x1="${left}" x2="${width - right}" y1="${y(share)}" y2="${y(share)}" stroke="#d0d7de"/>` +
        `<text x="${left - 8}" y="${y(share) + 4}" text-anchor="end">${share.toFixed(2)}</text>`,
    ),
    ...ticks.map(
      (part) =>
        `<text x="${x(part * most)}" y="${height - bottom + 18}" text-anchor="middle">${tick(part * most)}</text>`,
    ),
  ];
  return { x, y, frame };
}

function svg(
  parts: readonly string[],
  { width, height } = SIZE as { width: number; height: number },
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
