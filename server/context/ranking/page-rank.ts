/** A weighted directed graph in rows: the edges of node `n` are those from `starts[n]` up to `starts[n + 1]`. */
export interface Graph {
  nodes: number;
  starts: Uint32Array;
  targets: Uint32Array;
  weights: Float32Array;
}

const DAMPING = 0.85;
const ITERATIONS = 30;
/** The sum of changes below which nothing more is gained. */
const STEADY = 1e-6;

/**
 * PageRank by power iteration, personalised: a walk that stops following edges starts again at a node with the
 * probability that `restart` gives it. Nodes without edges send their walks there too. Written here rather than
 * taken from a library: those keep an object for each edge, and a repository of 100,000 files has millions.
 *
 * @param restart by node, summing to 1
 * @returns the share of its time that the walk spends at each node
 */
export function pageRank({ nodes, starts, targets, weights }: Graph, restart: Float64Array): Float64Array {
  const totals = new Float64Array(nodes);
  for (let node = 0; node < nodes; node++) {
    for (let edge = starts[node] ?? 0; edge < (starts[node + 1] ?? 0); edge++) {
      totals[node] = (totals[node] ?? 0) + (weights[edge] ?? 0);
    }
  }
  let ranks = Float64Array.from(restart);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const next = new Float64Array(nodes);
    let followed = 0;
    for (let node = 0; node < nodes; node++) {
      const total = totals[node] ?? 0;
      if (total === 0) continue;
      const share = (DAMPING * (ranks[node] ?? 0)) / total;
      followed += DAMPING * (ranks[node] ?? 0);
      for (let edge = starts[node] ?? 0; edge < (starts[node + 1] ?? 0); edge++) {
        const target = targets[edge] ?? 0;
        next[target] = (next[target] ?? 0) + share * (weights[edge] ?? 0);
      }
    }
    let change = 0;
    for (let node = 0; node < nodes; node++) {
      const rank = (next[node] ?? 0) + (1 - followed) * (restart[node] ?? 0);
      change += Math.abs(rank - (ranks[node] ?? 0));
      next[node] = rank;
    }
    ranks = next;
    if (change < STEADY) break;
  }
  return ranks;
}
